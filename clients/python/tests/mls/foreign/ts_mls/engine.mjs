// One client of ts-mls: a request per line on stdin, a reply per line on stdout, both JSON.
// Bytes are hex. Every commit counts at once: the test is the server, and accepts it.
import { createInterface } from "node:readline";
import * as mls from "ts-mls";
import { createGroupInfo } from "ts-mls/createCommit.js";
import { encodeRatchetTree } from "ts-mls/ratchetTree.js";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new Uint8Array(Buffer.from(text ?? "", "hex"));
const wrap = (wireformat, content) => hex(mls.encodeMlsMessage({ version: "mls10", wireformat, ...content }));
const unwrap = (text) => mls.decodeMlsMessage(bytes(text), 0)[0];

let suite;
let credential;
let keys;
let state;
let psks;

const index = () => mls.makePskIndex(state, psks);

function pskProposal(id) {
  const preSharedKeyId = { psktype: "external", pskId: bytes(id), pskNonce: suite.rng.randomBytes(suite.kdf.size) };
  return { proposalType: "psk", psk: { preSharedKeyId } };
}

async function commit(extraProposals, { aad, encrypted = true }) {
  const made = await mls.createCommit(
    { state, cipherSuite: suite, pskIndex: index() },
    {
      extraProposals,
      ratchetTreeExtension: true,
      wireAsPublicMessage: !encrypted,
      authenticatedData: bytes(aad),
    },
  );
  state = made.newState;
  return {
    message: hex(mls.encodeMlsMessage(made.commit)),
    welcome: made.welcome ? wrap("mls_welcome", { welcome: made.welcome }) : null,
  };
}

async function propose(proposal) {
  const made = await mls.createProposal(state, false, proposal, suite);
  state = made.newState;
  return { message: hex(mls.encodeMlsMessage(made.message)) };
}

// This version puts the key of the external_pub extension there bare; the RFC, and ts-mls after it,
// wants HPKEPublicKey, a vector with a length (sections 12.4.3.2 and 5.1.1). Put right on both ways.
function withLength(key) {
  const length = key.length < 64 ? [key.length] : [0x40 | (key.length >> 8), key.length & 0xff];
  return new Uint8Array([...length, ...key]);
}

const withoutLength = (vector) => vector.subarray(vector[0] < 64 ? 1 : 2);

function takingLength(extension) {
  const importPublicKey = (key) =>
    suite.hpke.importPublicKey(key === extension.extensionData ? withoutLength(key) : key);
  return { ...suite, hpke: { ...suite.hpke, importPublicKey } };
}

const adding = (text) => ({ proposalType: "add", add: { keyPackage: unwrap(text).keyPackage } });
const removing = (leaf) => ({ proposalType: "remove", remove: { removed: leaf } });

const operations = {
  async start({ suite: code, name }) {
    state = undefined;
    psks = {};
    const named = Object.entries(mls.ciphersuites).find(([, number]) => number === code);
    suite = await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(named[0]));
    credential = { credentialType: "basic", identity: new TextEncoder().encode(name) };
    keys = await mls.generateKeyPackage(credential, mls.defaultCapabilities(), mls.defaultLifetime, [], suite);
    return {};
  },
  async package() {
    return { package: wrap("mls_key_package", { keyPackage: keys.publicPackage }) };
  },
  async create({ group }) {
    state = await mls.createGroup(bytes(group), keys.publicPackage, keys.privatePackage, [], suite);
    return {};
  },
  async join({ welcome }) {
    const opened = unwrap(welcome).welcome;
    state = await mls.joinGroup(opened, keys.publicPackage, keys.privatePackage, index(), suite);
    return {};
  },
  async join_externally({ group_info }) {
    const info = unwrap(group_info).groupInfo;
    const external = info.extensions.find((one) => one.extensionType === "external_pub");
    const fixed = takingLength(external);
    const made = await mls.joinGroupExternal(info, keys.publicPackage, keys.privatePackage, false, fixed);
    state = made.newState;
    return { message: wrap("mls_public_message", { publicMessage: made.publicMessage }) };
  },
  async group_info() {
    const pair = await suite.hpke.deriveKeyPair(state.keySchedule.externalSecret);
    const key = withLength(await suite.hpke.exportPublicKey(pair.publicKey));
    const extensions = [
      { extensionType: "external_pub", extensionData: key },
      { extensionType: "ratchet_tree", extensionData: encodeRatchetTree(state.ratchetTree) },
    ];
    const info = await createGroupInfo(state.groupContext, state.confirmationTag, state, extensions, suite);
    return { group_info: wrap("mls_group_info", { groupInfo: info }) };
  },
  add: (request) => commit(request.packages.map(adding), request),
  remove: (request) => commit([removing(request.leaf)], request),
  commit: (request) => commit([], request),
  async add_psk({ id, key }) {
    psks[mls.bytesToBase64(bytes(id))] = bytes(key);
    return {};
  },
  commit_psk: (request) => commit([pskProposal(request.id)], request),
  propose_add: ({ package: text }) => propose(adding(text)),
  propose_remove: ({ leaf }) => propose(removing(leaf)),
  async encrypt({ data, aad }) {
    const made = await mls.createApplicationMessage(state, bytes(data), suite, bytes(aad));
    state = made.newState;
    return { message: wrap("mls_private_message", { privateMessage: made.privateMessage }) };
  },
  async process({ message }) {
    // Not processMessage: in this version it loses the pre-shared keys of private messages.
    const { privateMessage, publicMessage } = unwrap(message);
    const opened = privateMessage
      ? await mls.processPrivateMessage(state, privateMessage, index(), suite)
      : await mls.processPublicMessage(state, publicMessage, index(), suite);
    state = opened.newState;
    return { data: opened.kind === "applicationMessage" ? hex(opened.message) : null };
  },
  async secrets({ label, context, size }) {
    const { exporterSecret, epochAuthenticator } = state.keySchedule;
    const exported = await mls.mlsExporter(exporterSecret, label, bytes(context), size, suite);
    return { exported: hex(exported), authenticator: hex(epochAuthenticator) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let reply;
  try {
    reply = await operations[request.op](request);
  } catch (error) {
    reply = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
