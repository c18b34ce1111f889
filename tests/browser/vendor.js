// What stands in for the vendor's push service in the browser, and nothing else does: subscribe would ask it for an address, and
// getSubscription would tell the one that it gave. The keys are made, and messages decrypted, by the browser's own WebCrypto.
(() => {
  if (!("PushManager" in window)) return;
  const KEPT = "vendor.subscription";
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const bytes = (word) =>
    Uint8Array.from(atob(word.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

  const shown = (kept) => ({
    endpoint: kept.endpoint,
    expirationTime: null,
    options: { userVisibleOnly: true, applicationServerKey: bytes(kept.serverKey).buffer },
    toJSON: () => ({ endpoint: kept.endpoint, expirationTime: null, keys: { p256dh: kept.p256dh, auth: kept.auth } }),
    unsubscribe: async () => {
      localStorage.removeItem(KEPT);
      return true;
    },
  });

  PushManager.prototype.subscribe = async function (options) {
    if (window.vendorIsAway) await new Promise(() => {});
    if (!options.userVisibleOnly) throw new DOMException("a subscription must be visible", "NotAllowedError");
    const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
    const name = text(crypto.getRandomValues(new Uint8Array(16)));
    const kept = {
      endpoint: `https://fcm.googleapis.com/fcm/send/${name}`,
      p256dh: text(await crypto.subtle.exportKey("raw", pair.publicKey)),
      auth: text(crypto.getRandomValues(new Uint8Array(16))),
      private: await crypto.subtle.exportKey("jwk", pair.privateKey),
      serverKey: text(options.applicationServerKey),
    };
    localStorage.setItem(KEPT, JSON.stringify(kept));
    return shown(kept);
  };

  PushManager.prototype.getSubscription = async function () {
    const kept = localStorage.getItem(KEPT);
    return kept ? shown(JSON.parse(kept)) : null;
  };

  // RFC 8291 and RFC 8188, with the key that the page has.
  window.vendorDecrypts = async (body) => {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    const whole = bytes(body);
    const salt = whole.slice(0, 16);
    const length = whole[20];
    const sender = whole.slice(21, 21 + length);
    const curve = { name: "ECDH", namedCurve: "P-256" };
    const mine = await crypto.subtle.importKey("jwk", kept.private, curve, false, ["deriveBits"]);
    const theirs = await crypto.subtle.importKey("raw", sender, curve, false, []);
    const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, mine, 256);
    const words = new TextEncoder();
    const derive = async (secret, saltOf, info, many) => {
      const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
      return crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: saltOf, info }, key, many * 8);
    };
    const info = new Uint8Array([...words.encode("WebPush: info\0"), ...bytes(kept.p256dh), ...sender]);
    const secret = await derive(shared, bytes(kept.auth), info, 32);
    const key = await derive(secret, salt, words.encode("Content-Encoding: aes128gcm\0"), 16);
    const iv = await derive(secret, salt, words.encode("Content-Encoding: nonce\0"), 12);
    const aes = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
    const clear = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, aes, whole.slice(21 + length)));
    return new TextDecoder().decode(clear.slice(0, clear.lastIndexOf(2)));
  };
})();
