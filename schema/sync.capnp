# SPDX-License-Identifier: MIT
# Objects that threads of several processes wait on. Within one process PARK and UNPARK are cheaper.
@0xcae3250499fb07c5;

using C = import "/c.capnp";
$C.methodDocs(["Units:", "Errors:", "Lifetime:", "Minted by:"]);
$C.interfaceDocs(["Lifetime:", "Minted by:"]);

const permitsMax :UInt32 = 0x7fffffff;
# Most permits of a Semaphore.

const messageBytesMax :UInt32 = 4096;
# Longest message of a MessageQueue.

interface SyncFactory {
  # Makes synchronisation objects, charged to the caller.
  # Lifetime: lives as long as the machine.
  # Minted by: the kernel for init; the manifest's grants from there on.

  createMutex @0 () -> (mutex :Mutex);
  # A new mutex, unlocked.
  # Units: none.
  # Errors: quotaExceeded (slots, scratchBytes).
  # Lifetime: until its last edge and use are gone.
  # Minted by: the manifest.

  createCondvar @1 () -> (condvar :Condvar);
  # A new condition variable.
  # Units: none.
  # Errors: quotaExceeded (slots, scratchBytes).
  # Lifetime: until its last edge and use are gone.
  # Minted by: the manifest.

  createSemaphore @2 (initial :UInt32, maximum :UInt32 = .permitsMax) -> (semaphore :Semaphore);
  # A new semaphore.
  # Units: permits.
  # Errors: outOfRange (maximum 0 or above permitsMax, initial above maximum); quotaExceeded.
  # Lifetime: until its last edge and use are gone.
  # Minted by: the manifest.

  createQueue @3 (maxMessages :UInt32, messageBytes :UInt32) -> (queue :MessageQueue);
  # A new message queue; all of its memory is charged now.
  # Units: messages, bytes; messageBytes at most messageBytesMax.
  # Errors: outOfRange; quotaExceeded (slots, scratchBytes).
  # Lifetime: until its last edge and use are gone.
  # Minted by: the manifest.
}

interface Mutex {
  # Mutual exclusion between threads; the owner is a thread, and its death unlocks the mutex.
  # Lifetime: lives while an edge, the owner or a waiting call lives.
  # Minted by: SyncFactory.createMutex.

  lock @0 (timeoutNs :UInt64 = 0xffffffffffffffff) -> (ownerDied :Bool);
  # Waits until the mutex is the caller's. ownerDied tells that the last owner ended holding it.
  # Units: nanoseconds; 0 asks without waiting, the default waits for ever.
  # Errors: wouldBlock; timedOut; deadlock (the caller owns it); cancelled; interrupted.
  # Lifetime: until unlock or the end of the thread.
  # Minted by: SyncFactory.createMutex.

  unlock @1 () -> ();
  # Gives the mutex to the thread that has waited longest at the highest priority.
  # Units: none.
  # Errors: notOwner.
  # Lifetime: takes effect before the completion.
  # Minted by: SyncFactory.createMutex.

  info @2 () -> (locked :Bool, waiters :UInt32);
  # Its state now.
  # Units: waiting calls.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: SyncFactory.createMutex.
}

interface Condvar {
  # A place to wait until somebody says that a condition may have changed.
  # Lifetime: lives while an edge or a waiting call lives.
  # Minted by: SyncFactory.createCondvar.

  wait @0 (mutex :Mutex, timeoutNs :UInt64 = 0xffffffffffffffff) -> ();
  # Unlocks the mutex, waits for a signal and locks it again; unlocking and waiting are one step.
  # Units: nanoseconds.
  # Errors: missingCapability; notOwner (of the mutex); busy (waiters use another mutex);
  # timedOut, cancelled, interrupted (the mutex is locked again in all three).
  # Lifetime: one record, reserved at submission.
  # Minted by: SyncFactory.createCondvar.

  signal @1 () -> (woken :UInt32);
  # Wakes one waiting thread, if there is one.
  # Units: threads.
  # Errors: none beyond those of every call.
  # Lifetime: a signal that nobody waits for is lost.
  # Minted by: SyncFactory.createCondvar.

  broadcast @2 () -> (woken :UInt32);
  # Wakes all threads that wait now.
  # Units: threads.
  # Errors: none beyond those of every call.
  # Lifetime: as signal.
  # Minted by: SyncFactory.createCondvar.
}

interface Semaphore {
  # A counter of permits.
  # Lifetime: lives while an edge or a waiting call lives.
  # Minted by: SyncFactory.createSemaphore.

  wait @0 (timeoutNs :UInt64 = 0xffffffffffffffff) -> ();
  # Takes one permit, waiting for it if there is none.
  # Units: nanoseconds; 0 asks without waiting, the default waits for ever.
  # Errors: wouldBlock; timedOut; cancelled; interrupted.
  # Lifetime: a permit is not tied to who took it.
  # Minted by: SyncFactory.createSemaphore.

  post @1 (permits :UInt32 = 1) -> (value :UInt32);
  # Adds permits, and tells how many there are after waiting threads took theirs.
  # Units: permits.
  # Errors: outOfRange (0, or beyond the maximum; nothing is added then).
  # Lifetime: until taken.
  # Minted by: SyncFactory.createSemaphore.

  value @2 () -> (value :UInt32, waiters :UInt32);
  # Its state now.
  # Units: permits, waiting calls.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: SyncFactory.createSemaphore.
}

interface MessageQueue {
  # A bounded queue of messages, the highest priority first, then in order of sending.
  # Lifetime: lives while an edge or a waiting call lives; messages in it go with it.
  # Minted by: SyncFactory.createQueue.

  send @0 (bytes :Data, priority :UInt8, timeoutNs :UInt64 = 0xffffffffffffffff) -> ();
  # Puts a message into the queue, waiting for room.
  # Units: bytes, nanoseconds; 0 asks without waiting, the default waits for ever.
  # Errors: missingArgument; messageTooLarge; wouldBlock; timedOut; cancelled; interrupted.
  # Lifetime: the bytes are copied before the completion.
  # Minted by: SyncFactory.createQueue.

  receive @1 (maxBytes :UInt32, timeoutNs :UInt64 = 0xffffffffffffffff)
      -> (bytes :Data, priority :UInt8);
  # Takes the first message, waiting for one.
  # Units: bytes, nanoseconds.
  # Errors: messageTooLarge (the first message is longer than maxBytes, and stays); wouldBlock;
  # timedOut; cancelled; interrupted.
  # Lifetime: the bytes belong to the caller.
  # Minted by: SyncFactory.createQueue.

  info @2 () -> (messages :UInt32, maxMessages :UInt32, messageBytes :UInt32);
  # Its state and its limits.
  # Units: messages, bytes.
  # Errors: none beyond those of every call.
  # Lifetime: the answer is a snapshot.
  # Minted by: SyncFactory.createQueue.
}
