/**
 * The first file of the kernel process: the zygote boots beside the rest of the
 * kernel, which is therefore loaded after it was started.
 */
import "./guest-pool.js";

await import("./main.js");
