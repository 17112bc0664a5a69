// Certificates of a border: what Node's own checks say of them, and what the authority may not sign for.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { after, test } from "node:test";
import { connect, createServer } from "node:tls";
import { createAuthority, Signer } from "../../dist/border/certificates.js";

const authority = createAuthority();
const signer = new Signer(authority);

/** The error that a client meets at a server with this identity, if it meets one. */
async function refusal({ certificate, key }, servername, ca = authority.certificate) {
  const server = createServer({ cert: certificate, key }, (socket) => socket.end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  const client = connect({ port: server.address().port, host: "127.0.0.1", servername, ca });
  return new Promise((resolve) => {
    client.on("secureConnect", () => resolve(undefined)).on("error", ({ code }) => resolve(code));
  }).finally(() => client.destroy());
}

test("a client that trusts the authority takes the names it has signed for, and no others", async () => {
  const identity = signer.identityOf("api.example.com");
  assert.equal(await refusal(identity, "api.example.com"), undefined);
  assert.equal(await refusal(identity, "other.example.com"), "ERR_TLS_CERT_ALTNAME_INVALID");
  const other = createAuthority().certificate;
  assert.match(await refusal(identity, "api.example.com", other), /SIGNATURE|ISSUER/);
});

test("names and addresses of both families are what the certificate is for", () => {
  for (const [host, ok] of [
    ["api.example.com", (made) => made.checkHost("api.example.com")],
    ["192.0.2.1", (made) => made.checkIP("192.0.2.1")],
    ["2001:db8::7", (made) => made.checkIP("2001:db8::7")],
    ["::1", (made) => made.checkIP("::1")],
  ]) {
    const made = new X509Certificate(signer.identityOf(host).certificate);
    assert.ok(ok(made) !== undefined, host);
    assert.ok(made.verify(new X509Certificate(authority.certificate).publicKey), host);
    assert.equal(made.ca, false);
  }
  // The longest name that DNS has; a common name holds 64.
  const long = `${"a".repeat(63)}.${"b".repeat(63)}.example`;
  const made = new X509Certificate(signer.identityOf(long).certificate);
  assert.ok(made.checkHost(long) !== undefined);
});

test("the authority signs for servers alone: it is one, has none below it, and begins in the past", () => {
  const own = new X509Certificate(authority.certificate);
  assert.ok(own.ca && own.verify(own.publicKey));
  assert.deepEqual(own.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  assert.ok(Date.parse(own.validFrom) < Date.now() - 86_400_000);
  assert.ok(Date.parse(own.validTo) > Date.now() + 365 * 86_400_000);
  assert.equal(own.publicKey.asymmetricKeyDetails.namedCurve, "prime256v1");
});

test("an identity is made once, and of as many as are kept the oldest are made anew", () => {
  const fresh = new Signer(authority);
  const first = fresh.identityOf("first.example");
  assert.equal(fresh.identityOf("first.example"), first);
  for (let at = 0; at < 256; at++) fresh.identityOf(`n${at}.example`);
  const again = fresh.identityOf("first.example");
  assert.notEqual(again, first);
  // One key serves them all.
  assert.equal(again.key, first.key);
});
