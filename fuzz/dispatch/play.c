/* SPDX-License-Identifier: MIT */
/*
 * Rings from the programs' side, and what must come back.
 *
 * Every submission has a name of its own. Its completion must come to the thread that submitted it,
 * at most once, and its refusal must be what the form of the submission says: nothing about the
 * form if it is valid by fuzz/sqe_oracle.c, the documented error, argument, limit and amount if one
 * field was spoilt. A pair of opcode and error that no page of docs/abi lists is a finding too.
 */
#include "fuzz/dispatch/play.h"

#include <string.h>

#include "fuzz/dispatch/look.h"
#include "fuzz/dispatch/pages.h"

enum {
    RESULT_PLACE = PLAY_PIECES * PLAY_PIECE_BYTES,
    THREADS_WILD = 32,
    TURNS_MAX = 12,
};

struct note {
    struct sqe sqe;
    struct sqe_verdict verdict;
    struct cqe cqe;
    uint64_t thread;
    bool strict; /* `verdict` says exactly what must come */
    bool done;
};

struct play_recent play_tokens, play_stale, play_names;

static struct note notes[PLAY_SUBMISSIONS];
static uint64_t last_name;
static uint64_t wild[THREADS_WILD];
static uint32_t wild_count;
static bool is_lazy;

void play_remember(struct play_recent *recent, uint64_t word)
{
    recent->word[recent->count++ % PLAY_RECENT] = word;
}

uint64_t play_recall(const struct play_recent *recent, uint64_t choice)
{
    uint32_t known = recent->count < PLAY_RECENT ? recent->count : PLAY_RECENT;

    return known == 0 ? 0 : recent->word[(recent->count - 1 - choice % known) % PLAY_RECENT];
}

void play_reset(void)
{
    memset(&play_tokens, 0, sizeof(play_tokens));
    memset(&play_stale, 0, sizeof(play_stale));
    memset(&play_names, 0, sizeof(play_names));
    last_name = 0;
    wild_count = 0;
    is_lazy = false;
}

void play_lazy(bool lazy)
{
    is_lazy = lazy;
}

static uint64_t thread_name(const struct thread *thread)
{
    return thread->process->pid << 16 | thread->id;
}

static bool is_wild(uint64_t thread)
{
    for (uint32_t i = 0; i < wild_count; i++) {
        if (wild[i] == thread) {
            return true;
        }
    }
    return wild_count == THREADS_WILD;
}

void play_wild(void)
{
    if (!is_wild(thread_name(rig_thread()))) {
        wild[wild_count++] = thread_name(rig_thread());
    }
}

/* ---- arena ----------------------------------------------------------------------------------- */

uint64_t play_piece(unsigned number)
{
    return rig_thread()->arena_address + number % PLAY_PIECES * PLAY_PIECE_BYTES;
}

uint64_t play_result(unsigned number)
{
    return rig_thread()->arena_address + RESULT_PLACE + number % PLAY_RESULTS * PLAY_RESULT_BYTES;
}

void play_write(uint64_t address, const void *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        uint8_t *place = rig_user_byte(rig_thread(), address + i);

        if (place != NULL) {
            *place = ((const uint8_t *)bytes)[i];
        }
    }
}

static bool arena_read(uint64_t address, void *bytes, uint32_t length)
{
    struct thread *thread = rig_thread();
    uint32_t offset;

    if (!thread_arena_offset(thread, address, length, &offset)) {
        return false;
    }
    for (uint32_t i = 0; i < length; i++) {
        uint32_t room;

        ((uint8_t *)bytes)[i] = *thread_arena(thread, offset + i, &room);
    }
    return true;
}

/* ---- submissions ----------------------------------------------------------------------------- */

uint64_t play_submit(struct sqe *sqe, const struct sqe_verdict *verdict)
{
    struct thread *thread = rig_thread();
    struct ring_header *header = thread->ring.header;
    uint32_t tail = header->sq_tail;
    struct sqe *sq = (struct sqe *)(void *)((uint8_t *)(uintptr_t)thread->ring.sq);

    if (last_name + 1 >= PLAY_SUBMISSIONS || tail - header->sq_head >= thread->ring.sq_entries) {
        return 0;
    }
    sqe->user_data = ++last_name;
    notes[last_name] = (struct note){.sqe = *sqe, .thread = thread_name(thread)};
    if (verdict != NULL) {
        notes[last_name].strict = true;
        notes[last_name].verdict = *verdict;
    }
    play_remember(&play_names, last_name);
    sq[tail % thread->ring.sq_entries] = *sqe;
    ring_publish(&header->sq_tail, tail + 1);
    return last_name;
}

bool play_is_done(uint64_t name, struct cqe *cqe)
{
    *cqe = notes[name].cqe;
    return notes[name].done;
}

/* ---- completions ----------------------------------------------------------------------------- */

/* What the completion says of the submission's form. */
static void form_judge(const struct note *note, const struct cqe *cqe)
{
    static const struct refusal none;
    const struct sqe *sqe = &note->sqe;
    const struct refusal *refusal = &cqe->refusal;
    const char *complaint;

    if (note->strict &&
        (cqe->result != (int32_t)note->verdict.error ||
         refusal->argument != note->verdict.argument || refusal->limit != note->verdict.limit ||
         refusal->amount != note->verdict.amount)) {
        look_complain("a spoilt field got another answer than the documented one", sqe->opcode,
                      note->verdict.argument);
    }
    if (sqe_judge(sqe, TRANSPORT_OK, &none) == NULL) {
        bool by_descriptor = refusal->argument == ARGUMENT_TRANSFERS && sqe->transfers != 0;

        if (cqe->result == TRANSPORT_BAD_OPCODE ||
            (cqe->result == TRANSPORT_BAD_FIELD && !by_descriptor)) {
            look_complain("a valid submission was refused for its form", sqe->opcode,
                          refusal->argument);
        }
        return;
    }
    complaint = sqe_judge(sqe, cqe->result < 0 ? (enum transport_error)cqe->result : TRANSPORT_OK,
                          cqe->result < 0 ? refusal : &none);
    if (complaint != NULL) {
        look_complain(complaint, sqe->opcode, refusal->argument);
    }
}

static void completion_read(const struct cqe *cqe)
{
    uint64_t me = thread_name(rig_thread());
    struct note *note;
    struct endpoint_message head;

    if (is_wild(me)) {
        return;
    }
    if (cqe->user_data == 0 || cqe->user_data > last_name) {
        look_complain("a completion of nothing", me, cqe->user_data);
    }
    note = &notes[cqe->user_data];
    if (note->thread != me || note->done) {
        look_complain(note->done ? "a second completion" : "a completion of somebody else's", me,
                      cqe->user_data);
    }
    note->done = true;
    note->cqe = *cqe;
    if (cqe->result < 0 && !page_lists(note->sqe.opcode, cqe->result)) {
        look_complain("an error that its opcode's page does not list", note->sqe.opcode,
                      (uint64_t)-cqe->result);
    }
    if (cqe->result < 0 && cqe->refusal.reason != (uint16_t)-cqe->result) {
        look_complain("the refusal has another reason than the result", me, cqe->refusal.reason);
    }
    form_judge(note, cqe);
    if ((note->sqe.opcode == OPCODE_RECV || note->sqe.opcode == OPCODE_RETURN_RECV) &&
        cqe->result >= (int32_t)sizeof(head) && arena_read(note->sqe.result, &head, sizeof(head)) &&
        head.token != 0) {
        play_remember(&play_tokens, head.token);
    }
    if (note->sqe.opcode == OPCODE_RELEASE && cqe->result == 0) {
        play_remember(&play_stale, note->sqe.cap.raw);
    }
}

void play_read(void)
{
    struct ring_header *header;
    uint32_t head;

    if (is_lazy || rig_turn() != RIG_PROGRAM || rig_thread()->ring.corrupt) {
        return;
    }
    header = rig_thread()->ring.header;
    for (head = header->cq_head; head != header->cq_tail; head++) {
        if (header->cq_tail - head > rig_thread()->ring.cq_entries) {
            play_wild(); /* its own doing, or ring_check had said so */
            return;
        }
        completion_read(&rig_thread()->ring.cq[head % rig_thread()->ring.cq_entries]);
    }
    ring_publish(&header->cq_head, head);
}

/* ---- time ------------------------------------------------------------------------------------ */

void play_enter(uint64_t min_complete, uint64_t timeout_ns)
{
    rig_syscall(SYSCALL_CAP_ENTER, min_complete, timeout_ns);
    play_read();
}

void play_go_to(uint64_t pid)
{
    for (unsigned i = 0; i < TURNS_MAX && rig_turn() == RIG_PROGRAM; i++) {
        if (rig_thread()->process->pid == pid) {
            break;
        }
        rig_wait(UINT64_MAX);
    }
    play_read();
}
