/* Frontdesk's web chat. Served as it is written: no framework, no build (docs/web-chat.md, docs/decisions). */
(() => {
"use strict";
const script = document.currentScript;
const site = script?.dataset.channel;
if (!site || window.frontdeskChat) return;
const api = new URL("api/v1/webchat/", script.src);

// -- Words -------------------------------------------------------------------------------------------------------------

const WORDS = {
  en: {hello: "Hi! How can we help?", file: "Send a file", large: "This file is too large.", gone: "This file is not here any more.", never: "This file cannot be sent.", open: "Open chat", close: "Close chat", more: "More", end: "End chat", sure: "End this chat? This device forgets it; what was said stays with us.", cancel: "Cancel", fresh: "new messages", log: "Messages", early: "Earlier messages", write: "Write a message", send: "Send",
    connecting: "Connecting…", offline: "No connection. What you write is sent when it is back.",
    there: "Delivered", read: "Read", sending: "Sending…", lost: "Not sent", again: "Try again", types: "is typing", we: "We", you: "You", react: "React or reply", reply: "Reply", answers: "In reply to", drop: "Do not reply to it", moods: ["Thumbs up", "Heart", "Laughing", "Surprised", "Thank you"],
    slow: "One moment please…", picture: "Picture"},
  de: {hello: "Guten Tag! Was können wir für Sie tun?", file: "Datei senden", large: "Diese Datei ist zu groß.", gone: "Diese Datei ist nicht mehr da.", never: "Diese Datei kann nicht gesendet werden.", open: "Chat öffnen", close: "Chat schließen", more: "Mehr", end: "Chat beenden", sure: "Diesen Chat beenden? Dieses Gerät vergisst ihn; was gesagt wurde, bleibt bei uns.", cancel: "Abbrechen", fresh: "neue Nachrichten", log: "Nachrichten", early: "Frühere Nachrichten", write: "Nachricht schreiben", send: "Senden",
    connecting: "Verbinde…", offline: "Keine Verbindung. Was Sie schreiben, wird danach gesendet.",
    there: "Zugestellt", read: "Gelesen", sending: "Wird gesendet…", lost: "Nicht gesendet", again: "Erneut versuchen", types: "schreibt", we: "Wir", you: "Sie", react: "Reagieren, antworten", reply: "Antworten", answers: "Antwort auf", drop: "Nicht darauf antworten", moods: ["Daumen hoch", "Herz", "Lachen", "Staunen", "Danke"],
    slow: "Einen Moment bitte…", picture: "Bild"},
  es: {hello: "¡Hola! ¿En qué podemos ayudarle?", file: "Enviar un archivo", large: "Este archivo es demasiado grande.", gone: "Este archivo ya no está.", never: "Este archivo no se puede enviar.", open: "Abrir chat", close: "Cerrar chat", more: "Más", end: "Terminar chat", sure: "¿Terminar este chat? Este dispositivo lo olvida; lo que se dijo queda con nosotros.", cancel: "Cancelar", fresh: "mensajes nuevos", log: "Mensajes", early: "Mensajes anteriores", write: "Escribe un mensaje", send: "Enviar",
    connecting: "Conectando…", offline: "Sin conexión. Lo que escribas se enviará cuando vuelva.",
    there: "Entregado", read: "Leído", sending: "Enviando…", lost: "No enviado", again: "Reintentar", types: "está escribiendo", we: "Nosotros", you: "Tú", react: "Reaccionar o responder", reply: "Responder", answers: "En respuesta a", drop: "No responder a este mensaje", moods: ["Pulgar arriba", "Corazón", "Risa", "Sorpresa", "Gracias"],
    slow: "Un momento…", picture: "Imagen"},
  fr: {hello: "Bonjour ! Que pouvons-nous faire pour vous ?", file: "Envoyer un fichier", large: "Ce fichier est trop grand.", gone: "Ce fichier n’est plus là.", never: "Ce fichier ne peut pas être envoyé.", open: "Ouvrir le chat", close: "Fermer le chat", more: "Plus", end: "Terminer le chat", sure: "Terminer ce chat ? Cet appareil l’oublie ; ce qui a été dit reste chez nous.", cancel: "Annuler", fresh: "nouveaux messages", log: "Messages", early: "Messages précédents", write: "Écrire un message", send: "Envoyer",
    connecting: "Connexion…", offline: "Pas de connexion. Vos messages partiront dès son retour.",
    there: "Distribué", read: "Lu", sending: "Envoi…", lost: "Non envoyé", again: "Réessayer", types: "écrit", we: "Nous", you: "Vous", react: "Réagir ou répondre", reply: "Répondre", answers: "En réponse à", drop: "Ne pas répondre à ce message", moods: ["Pouce levé", "Cœur", "Rire", "Surprise", "Merci"],
    slow: "Un instant…", picture: "Image"},
  pt: {hello: "Olá! Como podemos ajudar?", file: "Enviar um arquivo", large: "Este arquivo é grande demais.", gone: "Este arquivo não está mais aqui.", never: "Não é possível enviar este arquivo.", open: "Abrir chat", close: "Fechar chat", more: "Mais", end: "Encerrar chat", sure: "Encerrar este chat? Este aparelho o esquece; o que foi dito fica conosco.", cancel: "Cancelar", fresh: "mensagens novas", log: "Mensagens", early: "Mensagens anteriores", write: "Escreva uma mensagem", send: "Enviar",
    connecting: "Conectando…", offline: "Sem conexão. O que você escrever será enviado depois.",
    there: "Entregue", read: "Lida", sending: "Enviando…", lost: "Não enviado", again: "Tentar de novo", types: "está digitando", we: "Nós", you: "Você", slow: "Um momento…", picture: "Imagem",
    react: "Reagir ou responder", reply: "Responder", answers: "Em resposta a", drop: "Não responder a esta mensagem", moods: ["Positivo", "Coração", "Risada", "Surpresa", "Obrigado"]},
};
const language = [script.dataset.lang, document.documentElement.lang, navigator.language, "en"]
  .map((one) => (one || "").slice(0, 2).toLowerCase()).find((one) => WORDS[one]);
const words = WORDS[language];
const MOODS = ["👍", "❤️", "😂", "😮", "🙏"];

// -- What stays over a reload. Whoever has the session reads its conversation, so it is random and never leaves this origin.

const KEY = `frontdesk:${site}`;
let memory = {};
let isOurs = false; // the page's storage is full or forbidden: what it has is older than what we know, which stays as long as the page
function kept() {
  try { if (!isOurs) memory = JSON.parse(localStorage.getItem(KEY)) || {}; } catch { /* private windows may have no storage */ }
  return {queue: [], seen: "", ...memory};
}
function keep(change) {
  memory = {...kept(), ...change};
  try {
    localStorage.setItem(KEY, JSON.stringify(memory));
    isOurs = false;
  } catch { isOurs = true; }
}
function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_");
}
let visitor = ""; // whose page this is, whatever another tab has begun
function session() {
  visitor ||= kept().session || random();
  if (!kept().session) keep({session: visitor});
  return visitor;
}

// -- The line to the server: Socket.IO over a WebSocket, and plain HTTP where that does not get through -----------------

// Engine.IO 4 and Socket.IO 5 as far as one namespace needs them (socket.io/docs/v4/engine-io-protocol, …/socket-io-protocol):
// "0" open, "2" ping, "3" pong, "4" message; in a message "0" connect, "1" disconnect, "2" event, "3" acknowledgement, "4" refused.
const line = {
  socket: null, isUp: false, isStarted: false, tries: 0, failures: 0, acks: new Map(), count: 0, timer: 0, watch: 0, cursor: "",
  syncs: 0, held: [],

  start() {
    if (this.isStarted) return;
    this.isStarted = true;
    this.connect();
  },

  connect() {
    clearTimeout(this.timer);
    if (this.socket) return;
    const url = new URL("socket.io/", api);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = new URLSearchParams({EIO: 4, transport: "websocket", site});
    let socket;
    try { socket = new WebSocket(url); } catch { this.lost(null); return; }
    this.socket = socket;
    this.alive(10);
    socket.onmessage = ({data}) => { if (socket === this.socket && typeof data === "string") this.take(data); };
    socket.onclose = () => this.lost(socket);
  },

  take(data) {
    const kind = data[0] === "4" ? data.slice(0, 2) : data[0];
    const rest = data.slice(kind.length);
    if (kind === "0") {
      const {pingInterval, pingTimeout} = JSON.parse(rest);
      this.patience = (pingInterval + pingTimeout) / 1000;
      this.socket.send(`40${JSON.stringify({session: session()})}`);
    } else if (kind === "2") {
      this.socket.send("3");
    } else if (kind === "40") {
      this.isUp = true;
      this.tries = this.failures = 0;
      view.state();
      this.sync();
    } else if (kind === "42") {
      hear(...JSON.parse(rest));
    } else if (kind === "43") {
      const [, id, args] = rest.match(/^(\d+)(.*)$/s);
      this.acks.get(+id)?.(JSON.parse(args)[0]);
    } else if (kind === "1" || kind === "41" || kind === "44") {
      this.drop();
    }
    this.alive(this.patience || 45);
  },

  /** Nothing heard for so long: the network is gone, whatever the socket believes. */
  alive(seconds) {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.drop(), seconds * 1000);
  },

  drop() {
    const socket = this.socket;
    socket?.close();
    this.lost(socket);
  },

  lost(socket) {
    if (socket !== this.socket) return;
    clearTimeout(this.watch);
    this.failures += this.isUp ? 0 : 1;
    this.socket = null;
    this.isUp = false;
    for (const answer of this.acks.values()) answer(null);
    view.nobodyTypes();
    view.state();
    const wait = Math.min(30, 2 ** this.tries++) * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => this.connect(), wait * 1000);
    if (this.failures) poll();
  },

  /** The acknowledgement; null when none came. */
  emit(event, data) {
    if (!this.isUp) return Promise.resolve(null);
    const id = this.count++;
    return new Promise((resolve) => {
      const late = setTimeout(() => answer(null), 15000);
      const answer = (value) => { clearTimeout(late); this.acks.delete(id); resolve(value); };
      this.acks.set(id, answer);
      try { this.socket.send(`42${id}${JSON.stringify([event, data])}`); } catch { answer(null); }
    });
  },

  /** What came in the meantime, until there is no more; what comes just now waits, and stands behind it. True when the server
   *  answered. */
  async sync() {
    this.syncs += 1;
    try {
      return await this.catchUp();
    } finally {
      this.syncs -= 1;
      if (!this.syncs) for (const one of this.held.splice(0)) hear("message", one);
    }
  },

  async catchUp() {
    const asker = session();
    let answer;
    do {
      answer = this.isUp ? await this.emit("history", {after: this.cursor}) : await get({after: this.cursor});
      if (!answer?.ok || asker !== visitor) return false;
      answer.messages.forEach((one) => show(one));
      if (!this.cursor) view.startsWith(answer);
      this.cursor = answer.messages.at(-1)?.id || this.cursor;
      view.nobodyTypes();
      for (const name of answer.typing || []) view.typing(name, true);
    } while (answer.more);
    view.loaded();
    view.read(answer.read);
    view.tellSeen();
    flush();
    return true;
  },

  /** Links to files end after a while; whoever comes back gets new ones. */
  async renew() {
    if (!view.isLoaded || Date.now() - this.linkedAt < 3600000) return;
    this.linkedAt = Date.now();
    const asker = session();
    let before = "";
    do {
      const asked = before ? {before} : {};
      const answer = this.isUp ? await this.emit("history", asked) : await get(asked);
      if (asker !== visitor) return;
      if (!answer?.ok) { this.linkedAt = 0; return; }
      for (const one of answer.messages) view.relink(one);
      before = answer.messages[0]?.id;
    } while (before > view.oldest); // ids begin with the time
  },

  /** What was said before what is shown. */
  async earlier() {
    if (!view.hasEarlier || this.isAsking) return;
    this.isAsking = true;
    const [asker, asked] = [session(), {before: view.oldest}];
    const answer = this.isUp ? await this.emit("history", asked) : await get(asked);
    this.isAsking = false;
    if (answer?.ok && asker === visitor) view.prepend(answer);
  },

  /** The same line for another visitor. */
  restart() {
    const socket = this.socket;
    this.socket = null;
    this.isUp = false;
    this.cursor = "";
    this.held = [];
    this.tries = this.failures = 0;
    clearTimeout(this.watch);
    for (const answer of this.acks.values()) answer(null);
    socket?.close();
    this.connect();
  },
};

async function ask(url, options, seconds = 15) {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(), seconds * 1000);
  try {
    const answer = await fetch(url, {...options, signal: stop.signal, credentials: "omit"});
    const body = await answer.json().catch(() => ({}));
    return {...body, ok: answer.ok, status: answer.status, wait: +answer.headers.get("Retry-After")};
  } catch {
    return null;
  } finally {
    clearTimeout(late);
  }
}

/** As `ask`, for a file; `tell` hears how much of it is gone, from 0 to 1. It ends when nothing has moved for so long. */
function upload(url, file, tell, seconds = 60) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest(); // fetch does not say how far it is
    let late;
    const moves = () => { clearTimeout(late); late = setTimeout(() => request.abort(), seconds * 1000); };
    request.upload.onprogress = ({loaded, total}) => { moves(); tell(loaded / total); };
    request.onloadend = () => {
      clearTimeout(late);
      let body = {};
      try { body = JSON.parse(request.responseText); } catch { /* not from us */ }
      resolve(request.status ? {...body, ok: request.status < 300, status: request.status} : null);
    };
    request.open("POST", url);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.setRequestHeader("X-Webchat-Session", session());
    request.send(file);
    moves();
  });
}

const get = (more) => ask(`${api}messages?${new URLSearchParams({site, whole: 1, ...more})}`, {
  headers: {"X-Webchat-Session": session()}, // addresses end up in the logs of proxies
});
const post = (item, where = "messages") => ask(`${api}${where}?${new URLSearchParams({site})}`, {
  method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({site, session: session(), ...item}),
});

// Where no WebSocket gets through (some proxies), news are asked for, quickly while somebody looks.
let polling = false;
let isReached = false;
async function poll() {
  if (polling) return;
  polling = true;
  while (!line.isUp) {
    isReached = await line.sync();
    view.state();
    await new Promise((resolve) => setTimeout(resolve, view.isOpen && !document.hidden ? 3000 : 15000));
  }
  polling = isReached = false;
}

const isConnected = () => line.isUp || isReached;
for (const event of ["online", "visibilitychange", "focus"]) {
  (event === "visibilitychange" ? document : window).addEventListener(event, () => {
    if (line.isStarted && !line.socket && !document.hidden) { line.tries = 0; line.connect(); }
    if (view.isOpen && !document.hidden) view.seen();
  });
}
// Another tab of the same visitor has begun, has ended the chat, or has shown what is new here.
window.addEventListener("storage", ({key}) => {
  if (key !== KEY || !view.host) return;
  const {session: theirs} = kept();
  if (visitor && theirs && theirs !== visitor) return become(theirs);
  if (theirs) line.start();
  if (view.isLoaded && !view.isOpen) view.recount();
  return undefined;
});
window.addEventListener("offline", () => {
  isReached = false;
  line.drop();
});

/** This device forgets the chat, in every tab; it stays with the business. The next one is a new visitor's. */
function end() {
  const next = random();
  keep({session: next, queue: [], seen: ""});
  become(next);
}

function become(next) {
  visitor = next;
  view.empty();
  line.isStarted = true;
  line.restart();
}

// -- What is said ------------------------------------------------------------------------------------------------------

const known = new Map(); // by id, and one's own also by the id this page gave them: {message, node}

/** Kept until the server has it: a reload or a lost line loses nothing, and its id makes a second delivery harmless. */
function say(content, label, id = random()) {
  const item = {id, ...content, label};
  keep({queue: [...kept().queue, item]});
  if (!known.has(id)) view.pending(item);
  line.start();
  flush();
}

/** Once more what the server refused, under the id that it had: should it be there after all, it is there once. */
function again(id) {
  const item = kept().queue.find((one) => one.id === id);
  if (!item) return;
  unqueue(id);
  keep({queue: [...kept().queue, {...item, lost: false}]});
  view.again(id);
  flush();
}

/** A file goes out at once, so that nothing large is kept in the page's storage; its message waits like any other. */
async function sendFile(file, id = random()) {
  if (file.size > view.fileBytes) return view.note(words.large);
  if (known.has(id)) view.again(id);
  else view.pending({id, label: file.name});
  const asker = session();
  const answer = await upload(`${api}media?${new URLSearchParams({site, name: file.name.slice(-200)})}`, file, (part) => view.progress(id, part));
  if (asker !== visitor) return undefined;
  if (answer?.ok) return say({media: [answer.id]}, file.name, id);
  const never = {413: words.large, 422: words.never}[answer?.status]; // trying again would end the same
  return never ? view.mark(id, "lost", null, never) : view.mark(id, "lost", () => sendFile(file, id));
}

let flushing = false;
async function flush() {
  if (flushing) return;
  flushing = true;
  let item;
  while ((item = kept().queue.find((one) => !one.lost)) && isConnected()) {
    const slow = setTimeout(() => view.typing("", true), 400);
    const {label, quote, lost, ...sent} = item;
    const asker = session();
    const answer = line.isUp ? await line.emit("send", sent) : await post(sent);
    clearTimeout(slow);
    view.typing("", false);
    if (asker !== visitor) continue;
    if (answer?.ok) {
      unqueue(item.id);
      view.mark(item.id, "");
      answer.messages.forEach((one) => show(one));
      continue;
    }
    const refused = answer?.error;
    const wait = refused?.retry_after_s || (answer?.status === 429 && answer.wait);
    if (wait) {
      view.note(words.slow);
      await new Promise((resolve) => setTimeout(resolve, wait * 1000));
      view.state();
    } else if (answer && refused?.code !== "unavailable" && !(answer.status > 500)) {
      if (item.reaction) {
        unqueue(item.id);
        view.react({from: "visitor", reaction: {...item.reaction, emoji: ""}});
      } else {
        keep({queue: kept().queue.map((one) => (one.id === item.id ? {...one, lost: true} : one))});
        view.mark(item.id, "lost");
      }
    } else {
      setTimeout(flush, 5000); // the server is there and cannot: try again
      break;
    }
  }
  flushing = false;
}

const unqueue = (id) => keep({queue: kept().queue.filter((one) => one.id !== id)});

function hear(event, data) {
  if (event === "message" && line.syncs) line.held.push(data);
  else if (event === "message" && !(view.hasEarlier && data.id < view.oldest)) show(data); // that comes with what was before it
  if (event === "read") view.read(data.read);
  if (event === "typing") view.typing(data.name, data.typing);
  if (event === "resync") line.sync();
}

/** `next` is what it stands before, if it is an earlier one. */
function show(message, next) {
  if (!next && message.from && message.from !== "visitor") view.typing(message.name || "", false);
  if (message.client_id) unqueue(message.client_id);
  if (message.reaction) return view.react(message);
  const mine = message.client_id && known.get(message.client_id);
  if (mine && !known.has(message.id)) {
    known.set(message.id, mine);
    mine.message.id = message.id;
    if (message.media) mine.node.querySelector(".b")?.replaceWith(...message.media.map((one) => view.file(one)));
    view.mark(message.client_id, "");
  }
  if (!known.has(message.id)) view.add(message, next);
  return undefined;
}

// -- What is seen ------------------------------------------------------------------------------------------------------

const STYLE = `
:host{all:initial;--c:var(--frontdesk-color,#0b5cad);--on:var(--frontdesk-on-color,#fff);--r:var(--frontdesk-radius,14px);
--bg:light-dark(#fff,#181d25);--ink:light-dark(#1a212b,#e8ecf2);--soft:light-dark(#eef1f5,#262e3a);--line:light-dark(#7d8794,#69778a);--faint:light-dark(#5a6472,#a3afbf);
font:var(--frontdesk-font,15px/1.45 system-ui,sans-serif);color:var(--ink)}
*{box-sizing:border-box;font:inherit}
[hidden]{display:none!important}
button{cursor:pointer;color:inherit}
:focus-visible{outline:3px solid light-dark(#0b5cad,#8cc0f5);outline-offset:2px}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.launch,.panel{position:fixed;z-index:var(--frontdesk-z,2147483000);inset-block-end:calc(20px + env(safe-area-inset-bottom))}
.right{right:20px}.left{left:20px}
.launch{width:58px;height:58px;border:1px solid transparent;border-radius:50%;background:var(--c);color:var(--on);box-shadow:0 4px 16px #0005;display:grid;place-items:center}
.launch svg{width:30px;height:30px}
.icon svg{width:26px;height:26px}
svg{fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.badge{position:absolute;top:-4px;inset-inline-end:-4px;min-width:22px;padding:0 6px;border-radius:11px;background:#b3122b;color:#fff;font-size:13px;font-weight:600;line-height:22px;text-align:center}
.panel{width:min(380px,100vw - 40px);height:min(620px,100dvh - 40px);display:flex;flex-direction:column;overflow:hidden;border-radius:var(--r);background:var(--bg);border:1px solid light-dark(#d3d9e1,#3a4555);box-shadow:0 10px 40px #0006;animation:in .18s ease-out}
@keyframes in{from{opacity:0;transform:translateY(12px)}}
header{border-bottom:1px solid transparent;display:flex;align-items:center;gap:8px;padding:10px 8px 10px 16px;background:var(--c);color:var(--on)}
.launch:focus-visible{outline:3px solid #111;box-shadow:0 0 0 2px #fff,0 0 0 8px #fff}
h2{flex:1;margin:0;font-size:17px;font-weight:600;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.icon{width:40px;height:40px;padding:0;border:0;border-radius:10px;background:none;display:grid;place-items:center;flex:none}
header :focus-visible{outline-color:currentColor;outline-offset:-3px}
.menu{position:relative;flex:none}
summary{list-style:none;cursor:pointer}summary::-webkit-details-marker{display:none}
.menu svg{stroke-width:3.5}
.menu button{position:absolute;z-index:1;inset-inline-end:0;top:54px}
.menu button,.ask button{min-height:40px;padding:8px 14px;border:1px solid var(--line);border-radius:10px;background:var(--bg);color:var(--ink);white-space:nowrap}
.menu button:focus-visible{outline-color:light-dark(#0b5cad,#8cc0f5);outline-offset:2px}
.ask{width:min(340px,100vw - 40px);padding:20px;border:1px solid var(--line);border-radius:var(--r);background:var(--bg);color:var(--ink)}
.ask::backdrop{background:#0007}
.ask p{margin:0 0 16px}
.ask div{display:flex;flex-wrap:wrap;justify-content:flex-end;gap:8px}
.log{flex:1;overflow-y:auto;overscroll-behavior:contain;overflow-anchor:none;padding:16px;display:flex;flex-direction:column;gap:8px}
.log::before{content:"";margin-top:auto}
.older{display:flex;flex-direction:column;gap:8px}.older:empty{display:none}
.early{align-self:center;min-height:40px;padding:0 12px;border:0;background:none;color:var(--faint);font-size:13px;text-decoration:underline}
.m{max-width:86%;align-self:flex-start;position:relative}
.q{display:block;width:100%;margin-bottom:2px;padding:4px 10px;border:0;border-inline-start:3px solid var(--line);border-radius:4px;background:none;color:var(--faint);font-size:13px;text-align:start;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.re{margin:2px 4px 0;font-size:16px}
.tool{position:absolute;top:4px;inset-inline-start:100%;width:32px;height:32px;margin-inline-start:2px;padding:6px;border:0;border-radius:10px;background:none;color:var(--faint)}
.tool svg{width:20px;height:20px}
@media(hover:hover){.tool{opacity:0}.m:hover .tool,.tool:focus-visible,.tool[aria-expanded=true]{opacity:1}}
.pick{display:flex;flex-wrap:wrap;gap:4px;margin-top:4px}
.pick button{min-width:36px;min-height:36px;padding:0 6px;border:1px solid var(--line);border-radius:10px;background:var(--bg)}
.pick [aria-pressed=true]{background:var(--soft);border-width:2px}
.quoting{display:flex;align-items:center;padding:0 8px 0 16px;border-top:1px solid light-dark(#d3d9e1,#3a4555);font-size:13px;color:var(--faint)}
.quoting span{flex:1;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.m.visitor{align-self:flex-end}
.b{padding:8px 12px;border-radius:var(--r);background:var(--soft);width:fit-content;white-space:pre-wrap;overflow-wrap:anywhere;border-end-start-radius:4px}
.visitor .b{margin-inline-start:auto;background:var(--c);color:var(--on);border-end-start-radius:var(--r);border-end-end-radius:4px}
.b a{color:inherit}
.who,.how{font-size:13px;color:var(--faint);margin:0 4px 2px}
.how{text-align:end;margin:2px 4px 0}.how button{min-height:32px;padding:0 8px;border:0;background:none;text-decoration:underline}
progress{display:block;width:100%;min-width:120px;height:6px;margin-top:4px;accent-color:var(--ink)}
.lost .how{color:light-dark(#a3142b,#ff9aa8)}
.choices{display:flex;flex-wrap:wrap;gap:6px;margin-top:6px}
.list{flex-direction:column}
.choices button,.more{padding:8px 12px;min-height:40px;border:1px solid var(--line);border-radius:var(--r);background:var(--bg);text-align:start;color:inherit;text-decoration:none;display:inline-block;max-width:100%;overflow-wrap:anywhere}
.choices button:hover,.more:hover{background:var(--soft)}
.choices small{display:block;font-size:13px;color:var(--faint)}
.m img{display:block;max-width:100%;height:180px;object-fit:scale-down;background:var(--soft);border-radius:var(--r);margin-top:4px}
.typing{padding:0 20px 8px;font-size:13px;color:var(--faint);display:flex;gap:4px;align-items:center}
.typing i{width:7px;height:7px;border-radius:50%;background:var(--line);animation:dot 1s infinite alternate}
.typing i:nth-child(2){animation-delay:.2s}.typing i:nth-child(3){animation-delay:.4s}.typing span{margin-inline-start:4px}
@keyframes dot{from{opacity:.3}}
.state{padding:6px 16px;font-size:13px;background:light-dark(#fff3d6,#4a3a12);color:light-dark(#5c4300,#ffe6ad)}
.state:empty{display:none}
form{display:flex;align-items:flex-end;gap:4px;padding:8px;border-top:1px solid light-dark(#d3d9e1,#3a4555)}
textarea{flex:1;resize:none;max-height:120px;padding:9px 12px;border:1px solid var(--line);border-radius:var(--r);background:var(--bg);color:inherit;font-size:16px}
::placeholder{color:var(--faint);opacity:1}
@media(max-width:480px){.panel{inset:0;width:100%;height:100dvh;border:0;border-radius:0}}
@media(prefers-reduced-motion:reduce){*{animation:none!important}}
@media(forced-colors:active){.launch,.b,.typing i{border:1px solid}}
@media print{:host{display:none}}`;

const ICONS = {
  chat: "M21 12a8 8 0 0 1-8 8H4l1.5-3A8 8 0 1 1 21 12Z",
  close: "M6 6l12 12M18 6L6 18",
  file: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.4 3.4 0 0 1 5 5l-8.5 8.5a1.7 1.7 0 0 1-2.5-2.5L15 7",
  more: "M12 5h.01M12 12h.01M12 19h.01",
  react: "M21 12a9 9 0 1 1-9-9M9 14a4 4 0 0 0 6 0M9 9v1M15 9v1M19 2v6M16 5h6",
  send: "M4 12l16-8-6 16-3-7-7-1Z",
};

/** An element with attributes, listeners ("onclick") and children; texts become text and never markup. */
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((one) => one != null && one !== ""));
  return node;
}

function icon(name) {
  const SVG = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  svg.firstChild.setAttribute("d", ICONS[name]);
  return svg;
}

/** A link that leads to a page; anything else (javascript:, data:) is none. */
function link(href, ...inside) {
  let url;
  try { url = new URL(href, api); } catch { return null; }
  return /^https?:$/.test(url.protocol) ? h("a", {href: url, target: "_blank", rel: "noopener noreferrer nofollow"}, ...inside) : null;
}

/** A text with its addresses as links. */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]}'’”])/).map((part, place) => (place % 2 && link(part, part)) || part);
}

const view = {
  isOpen: false, isAtEnd: true, unread: 0, people: new Map(), reactions: new Map(),

  build(config) {
    const look = (name) => h("button", {class: "icon", type: "button", "aria-label": words[name]}, icon(name));
    this.close = look("close");
    this.menu = h("details", {class: "menu"}, h("summary", {class: "icon", "aria-label": words.more}, icon("more")),
      h("button", {type: "button", onclick: () => this.sure.showModal()}, words.end));
    const choose = (label, value) => h("button", {type: "button", onclick: () => this.sure.close(value)}, label);
    this.sure = h("dialog", {class: "ask", "aria-labelledby": "q"}, h("p", {id: "q"}, words.sure),
      h("div", {}, choose(words.cancel, ""), choose(words.end, "end")));
    this.send = look("send");
    this.send.type = "submit";
    this.badge = h("span", {class: "badge", "aria-hidden": "true", hidden: true});
    this.launch = h("button", {class: `launch ${config.position}`, type: "button", "aria-expanded": "false", "aria-haspopup": "dialog",
      "aria-label": words.open}, icon("chat"), this.badge);
    this.log = h("div", {class: "log", role: "log", "aria-live": "polite", "aria-label": words.log, tabindex: "0"});
    this.early = h("button", {class: "early", type: "button", hidden: true, onclick: () => line.earlier()}, words.early);
    // What is read up there is no news, so nobody is told of it.
    this.older = h("div", {class: "older", "aria-live": "off"});
    this.log.append(this.early, this.older);
    this.receipt = h("div", {class: "how receipt", "aria-live": "off"});
    this.dots = h("div", {class: "typing", hidden: true}, h("i"), h("i"), h("i"), h("span"));
    this.bar = h("div", {class: "state", role: "status"});
    this.input = h("textarea", {rows: 1, maxlength: 4000, dir: "auto", "aria-label": words.write, placeholder: words.write, enterkeyhint: "send"});
    this.fileBytes = config.file_bytes;
    this.picker = h("input", {type: "file", hidden: true});
    this.attach = look("file");
    this.attach.hidden = !config.file_bytes;
    this.quoting = h("div", {class: "quoting", hidden: true}, h("span", {dir: "auto"}), h("button", {class: "icon", type: "button", "aria-label": words.drop,
      onclick: () => { this.answer(null); this.input.focus(); }}, icon("close")));
    this.form = h("form", {}, this.attach, this.picker, this.input, this.send);
    this.panel = h("section", {class: `panel ${config.position}`, role: "dialog", "aria-labelledby": "t", hidden: true},
      h("header", {}, h("h2", {id: "t", dir: "auto"}, config.title), this.menu, this.close), this.log, this.dots, this.bar, this.quoting, this.form);
    this.said = h("div", {class: "sr", role: "status"});
    // Our words read from left to right, also on a page that does not; what people write reads as it is written (dir=auto).
    this.host = h("frontdesk-chat", {lang: language, dir: "ltr"});
    this.host.style.colorScheme = config.theme === "auto" ? "light dark" : config.theme;
    const root = this.host.attachShadow({mode: "open"});
    // A style sheet made by script needs no permission of the page's Content-Security-Policy.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styled(config));
    root.adoptedStyleSheets = [sheet];
    root.append(this.panel, this.launch, this.said, this.sure);
    this.greeting = config.greeting || words.hello;
    this.listen(root);
    document.body.append(this.host);
  },

  listen(root) {
    this.launch.addEventListener("click", () => this.show());
    this.close.addEventListener("click", () => this.hide());
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.menu.open) this.fold(true);
      else if (event.key === "Escape") this.hide();
      if (event.key === "Tab" && this.isWhole()) this.wrap(event, root);
      event.stopPropagation(); // the page's shortcuts are not meant
    });
    this.panel.addEventListener("click", ({target}) => { if (!this.menu.contains(target)) this.fold(); });
    this.menu.addEventListener("focusout", ({relatedTarget: next}) => { if (next && !this.menu.contains(next)) this.fold(); });
    this.sure.addEventListener("keydown", (event) => event.stopPropagation());
    this.sure.addEventListener("close", () => {
      this.fold(true);
      if (this.sure.returnValue !== "end") return;
      end();
      this.input.focus();
    });
    this.attach.addEventListener("click", () => this.picker.click());
    this.picker.addEventListener("change", () => {
      const [file] = this.picker.files;
      this.picker.value = "";
      if (file) sendFile(file);
      this.input.focus();
    });
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.submit(); }
    });
    this.log.addEventListener("keydown", (event) => this.move(event));
    this.log.addEventListener("scroll", () => {
      if (this.size !== this.measure()) return this.toEnd(); // it was not the visitor who scrolled
      this.isAtEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
      this.fill();
      return undefined;
    });
    new ResizeObserver(() => this.toEnd()).observe(this.log);
    // Turned and turned back between two frames: it was scrolled, and its size tells nothing.
    addEventListener("resize", () => this.toEnd());
    let told = 0;
    this.input.addEventListener("input", () => {
      this.input.style.height = "auto";
      this.input.style.height = `${this.input.scrollHeight + 2}px`;
      const isTyping = this.input.value.trim() !== "";
      if (isTyping !== told > 0 || (isTyping && Date.now() - told > 3000)) {
        told = isTyping ? Date.now() : 0;
        line.emit("typing", {typing: isTyping});
      }
    });
  },

  /** Close the menu. */
  fold(takesFocus = false) {
    this.menu.open = false;
    if (takesFocus) this.menu.firstChild.focus();
  },

  /** As at the beginning. */
  empty() {
    known.clear();
    this.reactions.clear();
    this.older.replaceChildren();
    while (this.older.nextSibling) this.older.nextSibling.remove();
    this.oldest = this.newest = this.told = this.readId = "";
    this.mine = null;
    this.isLoaded = false;
    this.isAtEnd = true;
    this.startsWith({messages: [], earlier: false});
    this.answer(null);
    this.input.value = "";
    this.input.dispatchEvent(new Event("input"));
    this.nobodyTypes();
    this.count(0);
    this.note("");
  },

  /** Whoever reads further up is left there. */
  toEnd() {
    if (this.isAtEnd) this.log.scrollTop = this.log.scrollHeight;
    this.size = this.measure();
  },

  /** Whoever comes near the beginning of what is shown gets what was said before. */
  fill() {
    if (this.isOpen && this.log.scrollTop < 150) line.earlier();
  },

  /** What is shown begins there. */
  startsWith({messages, earlier}) {
    this.oldest = messages[0]?.id || this.oldest;
    this.hasEarlier = earlier;
    if (!earlier && this.early.matches(":focus")) this.log.focus();
    this.early.hidden = !earlier;
    if (this.greeted) this.greeted.hidden = earlier;
    this.fill();
  },

  /** Earlier messages, above what is shown, which stays where it is. */
  prepend(answer) {
    const next = this.older.firstChild;
    const still = next || this.older.nextElementSibling;
    const top = still?.getBoundingClientRect().top;
    const later = [...known];
    for (const one of answer.messages) show(one, {node: next});
    for (const [id, entry] of later) { known.delete(id); known.set(id, entry); } // in the order in which they were said
    this.startsWith(answer);
    if (still) this.log.scrollTop += still.getBoundingClientRect().top - top;
    this.size = this.measure();
  },

  measure() {
    return [this.log.clientWidth, this.log.clientHeight, this.log.scrollHeight].join();
  },

  submit() {
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = "";
    this.input.dispatchEvent(new Event("input"));
    const quote = this.answered;
    this.answer(null);
    say(quote ? {text, reply_to: quote.id, quote} : {text});
  },

  /** What the next message answers: `{id, from, name, text}`, or nothing. */
  answer(quote) {
    this.answered = quote;
    this.quoting.hidden = !quote;
    this.quoting.firstChild.textContent = quote ? `${words.answers} ${this.who(quote)}: ${quote.text}` : "";
  },

  who: ({from, name}) => name || (from === "visitor" ? words.you : words.we),

  /** What a message answers; it leads there while that is on the page. */
  quote(quote) {
    const said = `${this.who(quote)}: ${quote.text || "…"}`;
    const inside = [h("span", {class: "sr"}, `${words.answers} `), said];
    if (!known.has(quote.id)) return h("div", {class: "q", dir: "auto"}, ...inside);
    return h("button", {class: "q", type: "button", dir: "auto", onclick: () => {
      const {node} = known.get(quote.id);
      node.tabIndex = -1;
      node.focus({preventScroll: true});
      node.scrollIntoView({block: "center"});
    }}, ...inside);
  },

  /** Somebody's reaction on a message, here or not yet; the newest of each counts, in whichever order they come. */
  react({id = "", from, name, reaction: {to, emoji}}) {
    const who = this.who({from, name});
    const all = this.reactions.get(to) || new Map();
    if (id && id < (all.get(who)?.id || "")) return;
    all.set(who, {id: id || all.get(who)?.id || "", emoji, isMine: from === "visitor"});
    this.reactions.set(to, all);
    this.feel(to);
    if (from === "visitor" || id < (this.newest || "")) return;
    this.newest = id;
    this.tellSeen();
  },

  /** The reactions under a message. */
  feel(to) {
    const node = known.get(to)?.node;
    const there = [...this.reactions.get(to) || []].filter(([, one]) => one.emoji);
    if (!node) return;
    node.querySelector(".re")?.remove();
    if (there.length) node.append(h("div", {class: "re"}, ...there.flatMap(([who, {emoji}]) => [h("span", {class: "sr"}, `${who}: `), `${emoji} `])));
    this.toEnd();
  },

  /** The one button beside a message of ours: it opens what can be done with it. Tab finds the last one, arrows the others. */
  tool(message, node, isEarlier) {
    const last = this.log.querySelector(".tool[tabindex='0']");
    if (!isEarlier) last?.setAttribute("tabindex", "-1");
    const button = h("button", {class: "tool", type: "button", tabindex: isEarlier && last ? -1 : 0, "aria-label": words.react, "aria-expanded": "false",
      onclick: () => this.pick(message, node, button)}, icon("react"));
    node.append(button);
  },

  pick(message, node, button) {
    const close = () => {
      node.querySelector(".pick")?.remove();
      button.setAttribute("aria-expanded", "false");
      button.focus({preventScroll: true});
    };
    if (node.querySelector(".pick")) return close();
    const own = [...this.reactions.get(message.id)?.values() || []].find((one) => one.isMine)?.emoji;
    const moods = MOODS.map((emoji, place) => h("button", {type: "button", "aria-label": words.moods[place], "aria-pressed": String(emoji === own),
      onclick: () => {
        const reaction = {to: message.id, emoji: emoji === own ? "" : emoji};
        close();
        say({reaction});
      }}, emoji));
    const reply = h("button", {type: "button", onclick: () => {
      close();
      this.answer({id: message.id, from: message.from, name: message.name, text: message.text || message.media?.[0]?.name || "…"});
      this.input.focus();
    }}, words.reply);
    const group = h("div", {class: "pick", role: "group", "aria-label": words.react}, ...moods, reply);
    group.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } });
    button.after(group);
    button.setAttribute("aria-expanded", "true");
    moods[0].focus({preventScroll: true});
    group.scrollIntoView({block: "nearest"});
    return undefined;
  },

  move(event) {
    const step = {ArrowUp: -1, ArrowDown: 1}[event.key];
    const tools = [...this.log.querySelectorAll(".tool")];
    const next = tools[tools.indexOf(event.target) + step];
    if (!step || !event.target.matches(".tool") || !next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  },

  show(takesFocus = true) {
    if (this.isOpen) return;
    this.isOpen = true;
    this.panel.hidden = false;
    this.launch.hidden = true;
    this.launch.setAttribute("aria-expanded", "true");
    this.panel.setAttribute("aria-modal", String(this.isWhole()));
    this.greet();
    this.seen();
    if (takesFocus) this.input.focus({preventScroll: true});
    this.toEnd();
    this.fill();
    session();
    line.start();
    keep({open: true});
  },

  hide() {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.panel.hidden = true;
    this.launch.hidden = false;
    this.launch.setAttribute("aria-expanded", "false");
    this.launch.focus({preventScroll: true});
    keep({open: false});
  },

  /** Whether it covers the page, as on a telephone; then Tab stays inside. */
  isWhole: () => matchMedia("(max-width:480px)").matches,

  wrap(event, root) {
    const stops = [...this.panel.querySelectorAll("summary,button,a,textarea,[tabindex]")].filter((one) => one.tabIndex >= 0 && one.offsetParent);
    const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
    if (root.activeElement === from) { event.preventDefault(); to.focus(); }
  },

  greet() {
    if (this.greeted) return;
    this.greeted = h("div", {class: "m bot"}, h("div", {class: "b", dir: "auto"}, this.greeting));
    this.older.before(this.greeted);
  },

  pending({id, text, choice, label, quote, reaction, lost}) {
    if (reaction) return this.react({from: "visitor", reaction});
    return this.add({client_id: id, from: "visitor", text: text ?? choice?.title ?? label, quote, state: lost ? "lost" : "sending"});
  },

  /** It is on its way again, as the last thing that was said. */
  again(id) {
    const {node} = known.get(id);
    const hasFocus = node.contains(node.getRootNode().activeElement);
    this.log.append(node);
    this.mark(id, "sending");
    if (hasFocus) this.input.focus(); // the button is gone now
    this.isAtEnd = true;
    this.toEnd();
  },

  /** A message at the end of the log, or an earlier one before `next.node`, which is none where it is the first of those. */
  add(message, next) {
    const {id, client_id, from = "bot", name, text, media = [], choices = [], link: more, quote, state, at} = message;
    this.greet();
    const isMine = from === "visitor";
    if (isMine && !next) this.settle();
    const node = h("div", {class: `m ${from}`, title: at && new Date(at).toLocaleString(language)},
      name ? h("div", {class: "who", dir: "auto"}, name) : h("span", {class: "sr"}, `${isMine ? words.you : words.we}: `),
      quote ? this.quote(quote) : null,
      text ? h("div", {class: "b", dir: "auto"}, ...linked(text)) : null,
      ...media.map((one) => this.file(one)));
    const button = more && link(more.url, more.title);
    if (button) { button.className = "more"; node.append(h("div", {class: "choices"}, button)); }
    if (choices.length && !next) node.append(this.choices(message));
    if (next) {
      this.older.insertBefore(node, next.node);
      known.set(id, {message, node});
      if (!isMine) this.tool(message, node, true);
      this.feel(id);
      return;
    }
    // What is not sent yet stays at the end, whatever comes meanwhile.
    let last = this.log.lastElementChild;
    while (!state && last.matches(".sending,.lost")) last = last.previousElementSibling;
    last.after(node);
    if (isMine) this.isAtEnd = true;
    this.toEnd();
    const entry = {message, node};
    if (id) known.set(id, entry);
    if (client_id) known.set(client_id, entry);
    if (id && !isMine) this.tool(message, node);
    if (id) this.feel(id);
    if (isMine) this.mine = entry;
    else if (from === "staff") this.mine = null; // answered
    if (state) this.mark(client_id, state);
    this.receive();
    if (isMine || !id) return;
    this.newest = id;
    if (!this.isLoaded) return;
    if (this.isOpen && !document.hidden) this.seen();
    else this.recount();
  },

  choices({choices, style}) {
    return h("div", {class: `choices ${style || ""}`, role: "group"}, ...choices.map((one) => h("button", {type: "button", dir: "auto",
      onclick: (event) => {
        say({choice: {id: one.id, title: one.title}});
        if (event.detail === 0) this.input.focus(); // pressed by key: the button is gone now
      }}, one.title, one.description ? h("small", {}, one.description) : null)));
  },

  /** What was offered before the visitor's last word is no offer any more. */
  settle() {
    for (const one of this.log.querySelectorAll(".choices[role]")) one.remove();
  },

  file({kind, url, thumbnail_url: small, name, content_type: type, reason}) {
    // Why, they are told in the business's inbox: what a visitor has sent was taken, and is gone since.
    const label = [name || (kind === "image" ? words.picture : type || kind), reason && words.gone].filter(Boolean).join(": ");
    const named = () => h("div", {class: "b f", dir: "auto"}, (url && link(url, label)) || label);
    // Telephones' own kinds are pictures to few browsers.
    if (kind !== "image" || !url || (!small && /hei[cf]|tiff|bmp/.test(type))) return named();
    const shown = link(url, h("img", {src: new URL(small || url, api), alt: label, loading: "lazy", onerror: () => shown.replaceWith(named())}));
    if (!shown) return named();
    shown.className = "f";
    return shown;
  },

  /** The files of a message as they are now, with links that have not ended. What has the focus keeps it. */
  relink({id, media = []}) {
    const nodes = known.get(id)?.node.querySelectorAll(".f") || [];
    media.forEach((one, place) => {
      const [was, now] = [nodes[place], this.file(one)];
      if (!was) return;
      const [old, fresh] = [was, now].map((node) => (node.matches("a") ? node : node.querySelector("a")));
      const [seen, better] = [was, now].map((node) => node.querySelector("img"));
      if (!old || !fresh || !seen !== !better) return was.replaceWith(now);
      if (old.href !== fresh.href) old.href = fresh.href;
      if (seen && seen.src !== better.src) seen.src = better.src;
      return undefined;
    });
  },

  /** `sending`, `lost` (then `retry` is what the visitor may do about it, if anything), or nothing: it is there. */
  mark(id, state, retry = () => again(id), why = words.lost) {
    const entry = known.get(id);
    if (!entry) return;
    for (const one of entry.node.querySelectorAll(".how:not(.receipt),progress")) one.remove();
    for (const one of ["sending", "lost"]) entry.node.classList.toggle(one, state === one);
    if (state === "sending") {
      const how = h("div", {class: "how"});
      entry.node.append(how);
      setTimeout(() => { how.textContent = words.sending; this.toEnd(); }, 1000);
    }
    if (state === "lost") {
      const label = `${words.again}: ${entry.message.text}`;
      const button = retry && h("button", {type: "button", "aria-label": label, onclick: retry}, words.again);
      entry.node.append(h("div", {class: "how", role: "alert"}, why, button));
    }
    this.receive();
  },

  /** How much of a file is gone, from 0 to 1: to be seen, and not told at every step. */
  progress(id, part) {
    const node = known.get(id)?.node;
    if (!node?.matches(".sending")) return;
    const bar = node.querySelector("progress") || h("progress", {max: 1, "aria-label": words.sending});
    bar.value = part;
    if (!bar.isConnected) node.querySelector(".how").before(bar);
    this.toEnd();
  },

  /** A person has seen what the visitor wrote, up to that message. */
  read(id) {
    this.readId = id || this.readId;
    this.receive();
  },

  /** Under the visitor's last message, until a person answers: that it is there (nothing more, once the bot has answered), or read. */
  receive() {
    const {mine} = this;
    const isRead = mine?.message.id && mine.message.id <= this.readId; // a reaction of theirs may be read last
    const isThere = mine?.message.id && mine.node === this.log.lastElementChild;
    this.receipt.textContent = isRead ? words.read : isThere ? words.there : "";
    if (!this.receipt.textContent) this.receipt.remove();
    else if (this.receipt.parentNode !== mine.node) mine.node.append(this.receipt);
    this.toEnd();
  },

  /** Who types; without a name it is the bot. */
  typing(name, isTyping) {
    if (isTyping) this.people.set(name, true);
    else this.people.delete(name);
    this.dots.hidden = !this.people.size;
    const names = [...this.people.keys()].filter(Boolean);
    this.dots.lastChild.textContent = names.length ? `${names.join(", ")} ${words.types}` : "";
  },

  nobodyTypes() {
    for (const name of [...this.people.keys()]) this.typing(name, false);
  },

  state() {
    if (isConnected()) return this.note("");
    clearTimeout(this.soon);
    const text = line.tries || !navigator.onLine ? words.offline : words.connecting;
    this.soon = setTimeout(() => this.note(isConnected() ? "" : text), navigator.onLine ? 1000 : 0);
    return undefined;
  },

  note(text) {
    clearTimeout(this.soon);
    if (this.bar.textContent !== text) this.bar.textContent = text;
  },

  seen() {
    const last = [...known.values()].filter((one) => one.message.id).at(-1);
    if (last) keep({seen: last.message.id});
    this.count(0);
    this.tellSeen();
    line.renew();
  },

  /** Whoever has written it sees that it was read. Of all that comes at once the last says it. */
  tellSeen() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell(), 50);
  },

  async tell() {
    const id = this.newest;
    if (!id || id === this.told || !this.isOpen || document.hidden || !isConnected()) return;
    this.told = id;
    const answer = line.isUp ? await line.emit("seen", {seen: id}) : await post({seen: id}, "seen");
    if (!answer?.ok && this.told === id) this.told = "";
  },

  /** What is new since the visitor looked last, in this tab or another. */
  recount() {
    const all = [...new Set(known.values())].map((one) => one.message).filter((one) => one.id);
    const {seen} = kept();
    const at = all.findIndex((one) => one.id === seen);
    const fresh = at < 0 ? all.filter((one) => one.id > seen) : all.slice(at + 1); // ids begin with the time
    this.count(fresh.filter((one) => one.from !== "visitor").length);
  },

  count(unread) {
    this.unread = unread;
    this.badge.hidden = !unread;
    this.badge.textContent = unread > 99 ? "99+" : unread;
    const news = `${words.fresh}: ${unread}`;
    this.launch.setAttribute("aria-label", unread ? `${words.open}, ${news}` : words.open);
    this.said.textContent = unread ? news : "";
  },

  /** The history is there; what the visitor has not seen of it is counted. */
  loaded() {
    if (this.isLoaded) return;
    this.isLoaded = true;
    line.linkedAt = Date.now();
    if (this.isOpen) this.seen();
    else this.recount();
  },
};

/** Black or white, whichever can be read better on that colour (WCAG 2, relative luminance). */
function readable(color) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/** The style sheet in the business's colour. Browsers without light-dark() (before 2024) get each colour written out. */
function styled({color, theme}) {
  const sheet = STYLE.replace("#0b5cad", color).replace("#fff)", `${readable(color)})`);
  if (CSS.supports("color", "light-dark(#fff,#000)")) return sheet;
  const [light, dark] = ["$1", "$2"].map((one) => sheet.replace(/light-dark\(([^,]+),([^)]+)\)/g, one));
  if (theme === "auto") return `${light}@media(prefers-color-scheme:dark){${dark}}`;
  return theme === "dark" ? dark : light;
}

async function begin() {
  const config = await ask(`${api}config?${new URLSearchParams({site})}`);
  if (!config) { setTimeout(begin, 10000); return; }
  if (!config.ok) {
    console.warn(`Frontdesk: the chat cannot be shown here. ${config.status === 403
      ? `Add ${location.origin} to the allowed_origins of its channel.` : `The server answered ${config.status}.`}`);
    return;
  }
  if (!document.body) await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve));
  view.build(config);
  window.frontdeskChat = {open: () => view.show(), close: () => view.hide(), end};
  for (const item of kept().queue) {
    view.pending(item);
  }
  if (kept().session) line.start();
  if (kept().open && !view.isWhole()) view.show(false);
}
begin();
})();
