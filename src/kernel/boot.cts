/**
 * The first file of the kernel process: the zygote boots beside the rest of the
 * kernel, which is therefore loaded after it was started.
 */
import path = require("node:path");
import modules = require("./modules.cjs");

const { load } = modules.openModules(path.dirname(__dirname));
(load(modules.firstModule).startFirstZygote as () => unknown)();
load("kernel/main");
