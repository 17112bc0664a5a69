/**
 * Owns who lives in every VM: the user, the machine's name, the environment all processes start
 * with, and the credentials that the host acts under.
 */
import { hostCredentials, type Credentials } from "../fs/index.js";

export const identity = Object.freeze({
  uid: 1000,
  gid: 1000,
  user: "user",
  home: "/home/user",
  hostname: "secure-exec",
});

/** Environment of every process before the host's own entries; behaviour reference §6.2. */
export const baseEnvironment: Readonly<Record<string, string>> = Object.freeze({
  CHARSET: "UTF-8",
  LANG: "C.UTF-8",
  LC_COLLATE: "C",
  PAGER: "less",
  SHELL: "/bin/sh",
  HOSTNAME: identity.hostname,
  HOME: identity.home,
  USER: identity.user,
  LOGNAME: identity.user,
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
});

/**
 * The host on a path in which a guest may have planted links; `followLinks` says that it asked to
 * have them followed wherever they lead.
 */
export function hostCaller(followLinks: boolean): Credentials {
  return followLinks ? hostCredentials : { ...hostCredentials, links: {} };
}
