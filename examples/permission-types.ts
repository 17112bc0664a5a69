// The two types are the documentation's; the package's own permissions fit into what they describe.
import { createNodeDriver } from "secure-exec";
import type {
  ChildProcessAccessRequest,
  EnvAccessRequest,
  FsAccessRequest,
  NetworkAccessRequest,
} from "secure-exec";

type Permissions = {
  fs?: PermissionCheck<FsAccessRequest>;
  network?: PermissionCheck<NetworkAccessRequest>;
  childProcess?: PermissionCheck<ChildProcessAccessRequest>;
  env?: PermissionCheck<EnvAccessRequest>;
};

// Each field accepts a boolean or async function
type PermissionCheck<T> = boolean | ((request: T) => boolean | Promise<boolean>);

const permissions: Permissions = {
  fs: true,
  network: ({ hostname }) => hostname === "api.example.com",
  childProcess: async ({ command }) => command === "node",
  env: false,
};
createNodeDriver({ permissions });
console.log(Object.keys(permissions).join(" "));
