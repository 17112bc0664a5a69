/**
 * Lets a FileHandle travel to another thread. Node hands the native handle over;
 * here the descriptor's number is what travels, for descriptors belong to the
 * process and the kernel knows them by number. It closes with the thread that has it last.
 */
import { afterLoad } from "../builtin-loads.js";
import { Errno } from "../../abi/errno.js";
import type { GuestEnvironment } from "../environment.js";

const { apply } = Reflect;

export function installFileHandleTransfer(env: GuestEnvironment): void {
  afterLoad(env.requireBuiltin, "internal/fs/promises", ({ FileHandle }) =>
    adaptTransfer(env, FileHandle.prototype),
  );
}

type Methods = Record<symbol, (this: unknown, ...args: never[]) => unknown>;

function adaptTransfer(env: GuestEnvironment, prototype: Methods): void {
  const binding = env.internalBinding("fs");
  const {
    messaging_transfer_symbol: transferSymbol,
    messaging_transfer_list_symbol: listSymbol,
    messaging_deserialize_symbol: deserializeSymbol,
  } = env.internalBinding("symbols");
  const transfer = prototype[transferSymbol]!;
  const deserialize = prototype[deserializeSymbol]!;
  prototype[listSymbol] = () => [];
  prototype[transferSymbol] = function () {
    const { data, deserializeInfo } = apply(transfer, this, []) as {
      data: { handle: { releaseFD(): number } };
      deserializeInfo: unknown;
    };
    const descriptor = data.handle.releaseFD();
    env.kernel.event("descriptorOwned", { fd: descriptor, owned: false });
    return { data: { descriptor }, deserializeInfo };
  };
  prototype[deserializeSymbol] = function ({ descriptor }: { descriptor?: unknown }) {
    const fd = Number.isInteger(descriptor) ? (descriptor as number) : -Errno.EBADF;
    env.kernel.event("descriptorOwned", { fd, owned: true });
    apply(deserialize, this, [{ handle: new binding.FileHandle(fd) }]);
  };
}
