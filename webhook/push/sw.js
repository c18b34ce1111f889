// Shows what the reconciler sends, and opens the invoice.
//
// Its scope is /push/, so that it stands beside a service worker of the app and takes no request from it.
"use strict";

const LONGEST = 300;
// The names of what was shown last, so that none of it is heard a second time.
const SEEN = "reconciler-push";
const SEEN_AT = "/push/seen";
const SEEN_MAX = 50;
const FALLBACK = {
  en: { title: "News about your payment", body: "Open the app to see it." },
  fr: { title: "Du nouveau sur votre paiement", body: "Ouvrez l’application pour le voir." },
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// One after the other: of two that come at once, the second must see that the first is shown.
let shown = Promise.resolve();
self.addEventListener("push", (event) => {
  shown = shown.then(() => show(event.data)).catch((error) => console.error("push:", error));
  event.waitUntil(shown);
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const data = event.notification.data;
  event.waitUntil(open(safeUrl(data && data.url)));
});

// The browser has taken the subscription away. A new one is made here if it can be; only a page has the user's token, so the
// server hears of it from the app's next page.
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(subscribeAgain(event)));

async function show(received) {
  const message = read(received);
  // A browser must show something for each message: what was shown before is shown again, without a sound.
  const there = await self.registration.getNotifications({ tag: message.tag });
  const seen = await readSeen();
  const isRepeated = seen.includes(message.id) || there.some((each) => each.data && each.data.id === message.id);
  await self.registration.showNotification(message.title, {
    body: message.body,
    tag: message.tag,
    renotify: !isRepeated,
    silent: isRepeated,
    data: { id: message.id, url: message.url },
  });
  if (message.id && !seen.includes(message.id)) await writeSeen([...seen, message.id].slice(-SEEN_MAX));
}

// Storage may be full, blocked or cleared: then something is heard twice, and nothing else is lost.
async function readSeen() {
  try {
    const kept = await (await self.caches.open(SEEN)).match(SEEN_AT);
    return kept ? await kept.json() : [];
  } catch {
    return [];
  }
}

async function writeSeen(ids) {
  await (await self.caches.open(SEEN)).put(SEEN_AT, new Response(JSON.stringify(ids)));
}

// Whatever came, this returns words to show: a message that shows nothing costs the permission.
function read(received) {
  let said = null;
  try {
    said = received ? received.json() : null;
  } catch {
    said = null;
  }
  const payload = said !== null && typeof said === "object" ? said : {};
  const language = (self.navigator.language || "").toLowerCase().startsWith("fr") ? "fr" : "en";
  const title = text(payload.title);
  return {
    id: text(payload.id),
    title: title || FALLBACK[language].title,
    body: title ? text(payload.body) : FALLBACK[language].body,
    tag: text(payload.tag) || text(payload.id) || "reconciler",
    url: safeUrl(payload.url),
  };
}

function text(value) {
  return typeof value === "string" ? value.slice(0, LONGEST) : "";
}

// Only a page of the app itself, or one that is as safe on its way.
function safeUrl(value) {
  const start = new URL("/", self.location.origin);
  try {
    const url = new URL(typeof value === "string" && value ? value : "/", start);
    return url.protocol === "https:" || url.origin === start.origin ? url.href : start.href;
  } catch {
    return start.href;
  }
}

async function open(url) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((each) => each.url === url);
  return there ? there.focus() : self.clients.openWindow(url);
}

async function subscribeAgain(event) {
  const old = event.oldSubscription;
  const key = old && old.options && old.options.applicationServerKey;
  if (!event.newSubscription && key) {
    const asked = { userVisibleOnly: true, applicationServerKey: key };
    await self.registration.pushManager.subscribe(asked).catch(() => null);
  }
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  windows.forEach((each) => each.postMessage({ type: "push-subscription-changed" }));
}
