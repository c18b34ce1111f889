// A switch for payment notifications: copy it into your app. docs/push.md tells how.
//
// It fills each element with the attribute data-push, and asks for the browser's permission only when the user clicks. The
// state stands in the element's data-state: unsupported, denied, offline, off, working, on or failed.

const WORKER = "/push/sw.js";
// A scope of its own: at "/" it would take the place of a service worker that the app has.
const SCOPE = "/push/";
// Offline, PushManager.subscribe may wait for ever.
const TIMEOUT_MS = 20000;

const WORDS = {
  en: {
    title: "Payment notifications",
    unsupported: "This browser can’t show notifications.",
    denied: "Notifications are blocked for this site. Allow them in the browser’s settings for this site, then reload the page.",
    offline: "No connection to the notification service. Check your connection and try again.",
    off: "Notifications are off in this browser.",
    working: "One moment …",
    on: "Notifications are on: this browser tells you when a payment arrives or fails.",
    failed: "That did not work. Try again in a moment.",
    install: "On an iPhone or iPad: tap Share, then “Add to Home Screen”, and open the app from there.",
    turnOn: "Turn on notifications",
    turnOff: "Turn off notifications",
    again: "Try again",
  },
  fr: {
    title: "Notifications de paiement",
    unsupported: "Ce navigateur ne peut pas afficher de notifications.",
    denied: "Les notifications sont bloquées pour ce site. Autorisez-les dans les réglages du navigateur pour ce site, puis rechargez la page.",
    offline: "Le service de notifications est injoignable. Vérifiez votre connexion et réessayez.",
    off: "Les notifications sont désactivées dans ce navigateur.",
    working: "Un instant…",
    on: "Les notifications sont activées : ce navigateur vous prévient quand un paiement arrive ou échoue.",
    failed: "Cela n’a pas fonctionné. Réessayez dans un instant.",
    install: "Sur iPhone ou iPad : touchez Partager, puis « Sur l’écran d’accueil », et ouvrez l’application depuis cet écran.",
    turnOn: "Activer les notifications",
    turnOff: "Désactiver les notifications",
    again: "Réessayer",
  },
};

class Offline extends Error {}
class Denied extends Error {}
class KeyChanged extends Error {}

export class PushSwitch {
  // `token` returns the user's JWT, or a promise of it.
  constructor(element, { server = "", token, timeoutMs = TIMEOUT_MS } = {}) {
    this.element = element;
    this.server = server.replace(/\/$/, "");
    this.token = token;
    this.timeoutMs = timeoutMs;
    this.language = (element.closest("[lang]")?.lang || navigator.language).toLowerCase().startsWith("fr") ? "fr" : "en";
    this.words = WORDS[this.language];
    this.turn = 0;
    this.#part("title").textContent = this.words.title;
    this.#part("button").addEventListener("click", () => this.#clicked());
    navigator.serviceWorker?.addEventListener("message", (event) => {
      if (event.data?.type === "push-subscription-changed") this.refresh();
    });
  }

  get state() {
    return this.element.dataset.state;
  }

  // Say what is true now; where notifications are on, tell the server once more that they are, and with which key.
  refresh() {
    return this.#attempt(async () => {
      if (!isSupported()) return "unsupported";
      if (Notification.permission === "denied") return "denied";
      const subscription = await this.#existing();
      if (!subscription || Notification.permission !== "granted") return "off";
      await this.#confirm(subscription);
      return "on";
    });
  }

  // Only ever call this from a click: browsers refuse to ask, or to be asked, otherwise.
  turnOn() {
    if (!isSupported()) return this.refresh();
    // Asked before anything is waited for, while it still counts as the click's doing.
    const permission = Notification.requestPermission();
    return this.#attempt(async () => {
      if (Notification.permission === "denied") throw new Denied();
      if (Notification.permission !== "granted") return "off";
      if (navigator.onLine === false) throw new Offline();
      await this.#confirm(await this.#existing());
      return "on";
    }, permission);
  }

  // Call it also when the user signs out: else the next one at this browser sees what is meant for the one before.
  turnOff() {
    return this.#attempt(async () => {
      const subscription = isSupported() ? await this.#existing() : null;
      if (subscription) await this.#end(subscription);
      return isSupported() && Notification.permission === "denied" ? "denied" : "off";
    });
  }

  #clicked() {
    if (this.state === "working") return null;
    return this.state === "on" ? this.turnOff() : this.turnOn();
  }

  // One attempt at a time: what an older one comes to, late, is not shown.
  // The user may think about the browser's question for as long as they like.
  async #attempt(deed, answered = null) {
    const turn = ++this.turn;
    this.#show("working");
    let state;
    try {
      await answered;
      state = await within(this.timeoutMs, deed());
    } catch (error) {
      state = error instanceof Denied ? "denied" : error instanceof Offline ? "offline" : "failed";
      if (state === "failed") console.warn("push:", error);
    }
    if (turn === this.turn) this.#show(state);
    return state;
  }

  // Let the server have a subscription that was made with its present key.
  async #confirm(subscription) {
    const key = await this.#publicKey();
    const current = await this.#with(key, subscription);
    try {
      await this.#save(current, key);
    } catch (error) {
      if (!(error instanceof KeyChanged)) throw error;
      const newest = await this.#publicKey();
      await this.#save(await this.#with(newest, current), newest);
    }
  }

  async #with(key, subscription) {
    if (subscription && keyOf(subscription) === key) return subscription;
    // A browser keeps to one key: a subscription with another one must go first.
    if (subscription) await this.#end(subscription);
    const registration = await active();
    try {
      return await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
    } catch (error) {
      if (error.name === "NotAllowedError") throw new Denied();
      // Chrome's word for a push service that it can't reach.
      if (error.name === "AbortError" || error.name === "NetworkError") throw new Offline();
      throw error;
    }
  }

  // Unsubscribed, the browser gets nothing more, whether the server could be told or not: its next message is refused.
  async #end(subscription) {
    await this.#ask("DELETE", { endpoint: subscription.endpoint }).catch(() => null);
    await subscription.unsubscribe();
  }

  #save(subscription, key) {
    const { endpoint, expirationTime, keys } = subscription.toJSON();
    return this.#ask("POST", { endpoint, expirationTime, keys, locale: this.language, vapid_public_key: key });
  }

  async #existing() {
    const registration = await navigator.serviceWorker.getRegistration(SCOPE);
    return registration?.scope.endsWith(SCOPE) ? registration.pushManager.getSubscription() : null;
  }

  async #publicKey() {
    const answer = await reached(fetch(`${this.server}/push/vapid-public-key`, { cache: "no-store" }));
    if (!answer.ok) throw new Error(`the public key: ${answer.status}`);
    return (await answer.text()).trim();
  }

  async #ask(method, body) {
    const headers = { Authorization: `Bearer ${await this.token()}`, "Content-Type": "application/json" };
    const asked = { method, headers, body: JSON.stringify(body) };
    const answer = await reached(fetch(`${this.server}/api/push/subscriptions`, asked));
    if (answer.status === 409) throw new KeyChanged();
    if (!answer.ok) throw new Error(`${method}: ${answer.status}`);
  }

  #show(state) {
    const { words } = this;
    const button = this.#part("button");
    const hint = this.#part("hint");
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "working"));
    this.#part("status").textContent = words[state];
    // Not `disabled`, which would take the keyboard's focus from it.
    button.setAttribute("aria-disabled", String(state === "working"));
    if (state === "working") return;
    button.hidden = state === "unsupported" || state === "denied";
    button.textContent = { on: words.turnOff, off: words.turnOn }[state] || words.again;
    hint.hidden = !(state === "unsupported" && mayBeInstalled());
    hint.textContent = hint.hidden ? "" : words.install;
  }

  #part(name) {
    return this.element.querySelector(`[data-push-${name}]`);
  }
}

function isSupported() {
  return window.isSecureContext && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

// iOS shows notifications only of an app on the home screen, where PushManager is there.
function mayBeInstalled() {
  const isIpad = navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1;
  return /iPhone|iPad|iPod/.test(navigator.userAgent) || isIpad;
}

async function active() {
  const registration = await navigator.serviceWorker.register(WORKER, { scope: SCOPE });
  const worker = registration.installing || registration.waiting;
  if (!registration.active && worker) {
    await new Promise((resolve, reject) => {
      worker.addEventListener("statechange", () => {
        if (worker.state === "activated") resolve();
        if (worker.state === "redundant") reject(new Error("the service worker did not start"));
      });
    });
  }
  return registration;
}

function within(timeoutMs, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Offline()), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A fetch fails in this way where nobody is reached, and also where CORS forbids the answer: the console tells which.
function reached(asked) {
  return asked.catch(() => {
    throw new Offline();
  });
}

function bytes(key) {
  const plain = atob(key.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function keyOf(subscription) {
  const raw = subscription.options?.applicationServerKey;
  if (!raw) return "";
  const plain = btoa(String.fromCharCode(...new Uint8Array(raw)));
  return plain.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

// The app's own address that answers a fresh JWT, as plain text, to who is signed in.
function tokenAt(url) {
  return async () => {
    const answer = await reached(fetch(url, { credentials: "same-origin", cache: "no-store" }));
    if (!answer.ok) throw new Error(`the token: ${answer.status}`);
    return (await answer.text()).trim();
  };
}

for (const element of document.querySelectorAll("[data-push]")) {
  const { server, token, timeoutMs } = element.dataset;
  const made = new PushSwitch(element, { server, token: tokenAt(token), timeoutMs: Number(timeoutMs) || TIMEOUT_MS });
  // For the app: `element.pushSwitch.turnOff()` when the user signs out.
  element.pushSwitch = made;
  made.refresh();
}
