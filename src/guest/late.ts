/** Loaded before all else of a worker's thread: what its start puts off until something of the program needs it. */
import { bindWhenCalled } from "../sandbox/native.js";
import { waitForLoads } from "./builtin-loads.js";

bindWhenCalled();
waitForLoads();
