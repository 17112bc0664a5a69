/**
 * Every bound the kernel puts on what a guest chooses and that is the same for all VMs, in one
 * frozen table. What a host may set for its VM is in protocol/limits.ts.
 */
import { wireLimits } from "../protocol/codec.js";

export const limits = Object.freeze({
  /** File events of one process that wait for their turn; more are lost, as inotify loses them. */
  queuedFileEvents: 4096,
  /** Text of the decisions that are kept of one VM, and of the requests that it learned from; how many of these. */
  auditChars: 1_000_000,
  decisionTextChars: 1024,
  learnedRequests: 20_000,
  /** Changes of one VM's permissions. */
  permissionChanges: 64,
  /** Byte-range locks held in one file system; F_OFD_SETLK answers ENOLCK beyond. */
  fileLocks: 4096,
  /** Steps of one `lock` call. */
  lockSteps: 8,
  /** Output that a terminal keeps for its master. */
  terminalOutputBytes: 16 * 1024,
  /** Sockets per worker that a process may have: that of an ended one closes a moment after it. */
  socketsPerThread: 2,
  /** Descriptors that wait in a pipe for a process to take them. */
  passedDescriptors: 256,
  /** Output a process may have in flight per stream before it blocks. */
  outputWindowBytes: 256 * 1024,
  /** The same of all threads and processes that write to one stream of the host. */
  outputMostBytes: 1024 * 1024,
  /** Pieces of a stream that the host has before small ones go together, and how long such a piece becomes. */
  outputPieces: 256,
  outputPieceBytes: 16 * 1024,
  /** Each direction of a connection. */
  socketBufferBytes: 256 * 1024,
  /** sizeof(sockaddr_un.sun_path); unix(7). */
  socketPathBytes: 108,
  /** Connections that wait to be accepted, per listener; net.core.somaxconn. */
  backlog: 4096,
  /** Datagrams that wait to be received, per socket. */
  datagrams: 1024,
  datagramBytes: 4 * 1024 * 1024,
  /** Multicast groups of one socket, and sources of one group; net.ipv4.igmp_max_memberships. */
  memberships: 20,
  /** Names looked up whose addresses are remembered. */
  resolvedNames: 1024,
  /** What one system call may ask code of the host, or its policy meanwhile; more is EIO. */
  questionsOfCall: 2000,
  /** Calls of one provider of files that the host has at a time; further ones wait. */
  providerCalls: 32,
  /** Attributes, lists and links that are kept of one provider of files that lets itself be cached. */
  providerAnswers: 10_000,
  /** Names in one directory of such a file system. */
  providerEntries: 100_000,
  /** Tool calls, decisions of policy functions and requests on their way out that the host has of one VM at a time; further ones wait. */
  toolCalls: 100,
  judgements: 100,
  outwardRequests: 100,
  /** Decisions that wait before no further call of the VM is taken until half of them are put. */
  crowd: 256,
  /** Streams of tools that one process reads at a time. */
  toolStreams: 64,
  /** Inputs of tools that a process has sent parts of. */
  toolInputs: 16,
  /** What the host may leave unread before a VM's tool calls wait for it. */
  hostUnreadBytes: 1024 * 1024,
  /** The same before no guest is served until it has read them. */
  hostStuckBytes: 16 * 1024 * 1024,
  /** Questions to the host's name servers under way, per VM; further ones wait. What one try, all tries, and the whole may take. */
  lookups: 16,
  lookupTimeoutMs: 2500,
  lookupTries: 2,
  lookupDeadlineMs: 10_000,
  /** Sockets of the host that one datagram socket may hear from. */
  datagramPeers: 1024,
  /** Body of one answer to the host's own request. */
  fetchResponseBytes: 1024 * 1024,
  /** Descriptors of one process whose bytes travel as events. */
  flows: 512,
  /** Capacity of a pipe, and of each direction of a socket pair; pipe(7). */
  pipeBytes: 64 * 1024,
  /** Entries of argv, of the environment and of the descriptor list. */
  arguments: 16_384,
  /** Twice what the SDK sends ahead. */
  stdinBufferBytes: 1024 * 1024,
  /** Answers and events that a thread has not read before the kernel takes no further call of it. */
  unreadPauseBytes: 256 * 1024,
  /** The same before its process is ended: calls that waited are answered whether it reads or not. */
  unreadBytes: wireLimits.unreadBytes,
  /** What a thread may leave unread while its VM's account is full. */
  unreadFreeBytes: 64 * 1024,
  /** What a thread's frames that are not whole, or wait, may occupy while its VM's account is full, and when it asks again. */
  partialFreeBytes: 128 * 1024,
  partialRetryMs: 10,
  /** How often; then the frame, which is bounded, is read to its end. */
  partialRetries: 20,
  /** Time of the kernel's thread that VMs share per turn of its event loop, the least part of one VM, and how much over it is remembered. */
  turnMs: 1,
  leastPartMs: 0.1,
  turnDebtMs: 100,
  /** How much a VM may be over its part before it has its turns at the kernel's pace, and what coming to a frame costs at least. */
  turnBurstMs: 8,
  frameMs: 0.002,
  /** From this on it is asked how much of a frame's time the thread had a processor. */
  longFrameMs: 0.25,
  /** What a question to the host costs a VM beside that: the host's thread, which all share, works on it about as long as the kernel's. */
  questionMs: 0.05,
  /** How often the pace is set, the parts of its busy time that the thread was kept from a processor for a slower and a faster one, the longest pause between turns, and how much of the number of active VMs stays for the next time. */
  paceMs: 10,
  paceSlower: 0.2,
  paceFaster: 0.1,
  pauseMs: 2,
  paceMemory: 0.9,
  /** Calls of one process that wait for an answer, and the bytes of all such calls of a VM. */
  pendingCalls: 4096,
  pendingCallBytes: 64 * 1024 * 1024,
  stderrReportBytes: 16 * 1024,
});
