/** Owns how a host says where the cgroups of programs may be made. */

/** A variable of the host's environment: a directory of cgroup v2, or `off`. */
export const cgroupVariable = "SECURE_EXEC_CGROUP";
