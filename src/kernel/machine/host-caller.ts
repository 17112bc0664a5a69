/** Owns the credentials that the host acts under in a machine. */
import { hostCredentials, type Credentials } from "../fs/index.js";

/**
 * The host on a path in which a guest may have planted links; `followLinks` says that it asked to
 * have them followed wherever they lead.
 */
export function hostCaller(followLinks: boolean): Credentials {
  return followLinks ? hostCredentials : { ...hostCredentials, links: {} };
}
