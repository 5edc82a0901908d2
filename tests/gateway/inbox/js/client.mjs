// Two people at the live inbox with the client that browsers use. Says what came of each step, as one JSON object.
import { io } from "socket.io-client";

const { url, robin: robinToken, kim: kimToken, conversation } = JSON.parse(process.argv[2]);
const room = `conversation_${conversation}`;
const told = {};

const refusal = (auth) =>
  new Promise((resolve) => {
    const socket = io(url, { auth, reconnection: false, forceNew: true });
    socket.on("connect", () => resolve("connected"));
    socket.on("connect_error", (error) => {
      socket.close();
      resolve({ message: error.message, code: error.data?.code });
    });
  });

const connected = (token) =>
  new Promise((resolve, reject) => {
    const socket = io(url, { auth: { token }, forceNew: true, reconnectionDelay: 300, reconnectionDelayMax: 300 });
    socket.on("connect_error", reject);
    socket.once("connect", () => resolve(socket));
  });

const heard = (socket, event, fits = () => true) =>
  new Promise((resolve) => {
    const take = (data) => {
      if (!fits(data)) return;
      socket.off(event, take);
      resolve(data);
    };
    socket.on(event, take);
  });

const say = (socket, event, data) => socket.timeout(5000).emitWithAck(event, data);

const rest = async (token, path, body) => {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const how = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  return (await fetch(`${url}/api/v1${path}`, how)).json();
};

told.refused = [await refusal({}), await refusal({ token: "nonsense" })];

const robin = await connected(robinToken);
const kim = await connected(kimToken);
if (kim.io.engine.transport.name !== "websocket") await new Promise((done) => kim.io.engine.once("upgrade", done));
told.transport = kim.io.engine.transport.name;

told.joined = [await say(robin, "join_room", { room }), await say(kim, "join_room", { room })];

const typing = heard(robin, "typing");
told.typed = await say(kim, "typing", { room, typing: true });
told.typing = await typing;

const seen = new Map(); // what Kim's page shows, by id
kim.on("new_message", (message) => seen.set(message.id, message.text));

const first = heard(kim, "new_message");
told.sent = await say(robin, "send_message", { room, message: "From JavaScript", client_id: "js-1" });
told.heard = await first;

// The line breaks. Two messages come in the meantime; the client comes back by itself and catches up over REST.
const last = told.heard.id;
const back = heard(kim, "connect");
kim.io.engine.close();
for (const text of ["while away, one", "while away, two"]) await rest(robinToken, `/conversations/${conversation}/messages`, { text });
await back;
await say(kim, "join_room", { room });
const missed = await rest(kimToken, `/conversations/${conversation}/messages?after=${last}`);
for (const message of missed.items) seen.set(message.id, message.text);
const live = heard(kim, "new_message", (message) => message.text === "and live again");
await say(robin, "send_message", { room, message: "and live again" });
await live;
// In the order they were made, as a page shows them: a quick client is back before the last one was sent, and hears it live.
told.seen = [...seen].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, text]) => text);

told.unknown = await say(robin, "make_me_admin", {});
robin.close();
kim.close();
console.log(JSON.stringify(told));
