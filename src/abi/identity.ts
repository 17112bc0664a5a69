/** Owns who lives in every machine: the user, the machine's name, and the environment that all processes start with. */
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
