/* SPDX-License-Identifier: MIT */
/*
 * The programs of the hunt. Every process runs this one: it draws acts from the seed until the
 * run's acts are used up, and looks at each completion. A process is known by its lineage, a number
 * made of its parent's and of the act that spawned it, so that it stays the same program when other
 * acts are left out.
 *
 * The programs know everything (they ask the model what they hold, and which ids went stale), and
 * they may do anything: that is the attacker the kernel is made for. What they put into a message
 * they tell the model, which cannot read Cap'n Proto.
 *
 * A completed CALL or RECV is compared with what the model says was sent: the first word of every
 * message is the number of the submission that carries it.
 */
#include "sim/hunt/actor.h"

#include <stdlib.h>
#include <string.h>

#include "schema/generated/process.capnp.h"
#include "sim/hunt/acts.h"
#include "sim/hunt/twin.h"

enum {
    STAMP_STRIDE = 64,
    SHARES = 6, /* the part of a run's acts that one thread may do */
    SHARE_LEAST = 20,
};

/* What belongs to a submission until it completes. */
struct note {
    int8_t message_block;
    int8_t result_block;
    bool own;     /* message and result are blocks of its own: nobody else writes there */
    bool stamped; /* the message has its stamps, and is its own */
    uint8_t *result;
};

static struct note notes[MODEL_SUBMISSIONS];
static uint64_t last_submission;
static uint32_t acts_done;

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t actor_draw(struct actor *actor)
{
    actor->random = mix(actor->random);
    return actor->random;
}

uint64_t actor_below(struct actor *actor, uint64_t bound)
{
    return (actor_draw(actor) >> 16) % bound;
}

/* ---- the arena ------------------------------------------------------------------------------- */

static struct piece piece_scratch(struct actor *actor)
{
    return (struct piece){-1, actor->arena + SCRATCH_OFFSET, SCRATCH_BYTES / 8 * 8};
}

static struct piece piece_take(struct actor *actor, int first, int count, uint32_t bytes,
                               uint32_t offset)
{
    for (int i = 0; i < count; i++) {
        uint64_t bit = UINT64_C(1) << (first + i);

        if ((actor->block_used & bit) == 0) {
            actor->block_used |= bit;
            return (struct piece){first + i, actor->arena + offset + (uint32_t)i * bytes, bytes};
        }
    }
    return piece_scratch(actor);
}

struct piece piece_small(struct actor *actor)
{
    return piece_take(actor, 0, BLOCKS_SMALL, BLOCK_SMALL_BYTES, 0);
}

struct piece piece_large(struct actor *actor)
{
    return piece_take(actor, BLOCKS_SMALL, BLOCKS_LARGE, BLOCK_LARGE_BYTES,
                      BLOCKS_SMALL * BLOCK_SMALL_BYTES);
}

static void block_free(struct actor *actor, int block)
{
    if (block >= 0) {
        actor->block_used &= ~(UINT64_C(1) << block);
    }
}

void actor_give_back(struct actor *actor, struct piece piece)
{
    block_free(actor, piece.block);
}

/* The number of its submission stands all over a message: every STAMP_STRIDE bytes, and last. */
static void stamps_write(uint8_t *bytes, uint32_t length, uint64_t name)
{
    for (uint32_t at = 0; at + sizeof(name) <= length; at += STAMP_STRIDE) {
        memcpy(bytes + at, &name, sizeof(name));
    }
    memcpy(bytes + length / 8 * 8 - sizeof(name), &name, sizeof(name));
}

/* The stamp of a message; UINT64_MAX: it has two, or none. 0: it is too short for one. */
static uint64_t stamps_read(const uint8_t *bytes, uint32_t length)
{
    uint64_t stamp = 0;
    uint64_t other;

    if (length < sizeof(stamp)) {
        return 0;
    }
    memcpy(&stamp, bytes, sizeof(stamp));
    for (uint32_t at = 0; at + sizeof(stamp) <= length; at += STAMP_STRIDE) {
        memcpy(&other, bytes + at, sizeof(other));
        if (other != stamp) {
            return UINT64_MAX;
        }
    }
    memcpy(&other, bytes + length / 8 * 8 - sizeof(other), sizeof(other));
    return other == stamp && stamp != 0 ? stamp : UINT64_MAX;
}

uint64_t actor_name_take(void)
{
    return last_submission + 1 < MODEL_SUBMISSIONS ? ++last_submission : 0;
}

/* ---- the ring -------------------------------------------------------------------------------- */

uint64_t actor_submit(struct actor *actor, struct sqe *sqe, const struct model_intent *intent,
                      struct piece message, struct piece result)
{
    uint64_t name;

    if (actor->broken ||
        actor->tail - ring_load_peer(&actor->header->sq_head) >= LIMIT_SQ_ENTRIES ||
        *actor->last_name + 1 >= MODEL_SUBMISSIONS) {
        block_free(actor, message.block);
        block_free(actor, result.block);
        return 0;
    }
    name = ++*actor->last_name;
    actor->under_way++;
    sqe->user_data = name;
    notes[name] =
        (struct note){.message_block = (int8_t)message.block,
                      .result_block = (int8_t)result.block,
                      .own = (sqe->message_bytes == 0 ||
                              (message.block >= 0 && sqe->message_bytes <= message.room)) &&
                             (sqe->result_bytes == 0 ||
                              (result.block >= 0 && sqe->result == (uintptr_t)result.bytes)),
                      .result = result.bytes};
    notes[name].stamped = notes[name].own && sqe->message_bytes >= sizeof(name) &&
                          intent->ask == MODEL_ASK_NOTHING &&
                          sqe->message == (uintptr_t)message.bytes;
    if (notes[name].stamped) {
        stamps_write(message.bytes, sqe->message_bytes, name);
    }
    model_intend(name, actor->pid, actor->thread, intent);
    hunt_note(HUNT_EVENT_SUBMIT, name, sqe->opcode, sqe->cap.raw, sqe->token);
    actor->sq[actor->tail % LIMIT_SQ_ENTRIES] = *sqe;
    actor->tail++;
    ring_publish(&actor->header->sq_tail, actor->tail);
    return name;
}

static void twin_completion(struct actor *actor, const struct cqe *cqe, const struct note *note)
{
    const struct model_submission *submission = model_submission(cqe->user_data);

    twin_note(cqe, note->result_block >= 0 ? note->result : NULL,
              note->result_block >= BLOCKS_SMALL ? BLOCK_LARGE_BYTES : BLOCK_SMALL_BYTES);
    if (cqe->user_data == actor->listening) {
        actor->heard = actor->listening;
        actor->listening = 0;
    }
    if (submission->sqe.opcode == OPCODE_DUP && cqe->result >= 0) {
        actor->duplicate = cqe->cap[0].raw;
    }
}

static void completion_read(struct actor *actor, const struct cqe *cqe)
{
    const struct model_submission *submission = model_submission(cqe->user_data);
    struct note *note;

    if (submission == NULL || submission->state != MODEL_DONE ||
        submission->thread != actor->thread) {
        model_disagree("thread %llu reads a completion that is not its own",
                       (unsigned long long)actor->thread);
        return;
    }
    note = &notes[cqe->user_data];
    if (cqe->result != submission->result) {
        model_disagree("submission %llu: the kernel posted %d, its user reads %d",
                       (unsigned long long)cqe->user_data, submission->result, cqe->result);
    }
    if ((submission->delivered != 0 || submission->told_closed) && note->result != NULL &&
        note->own) {
        struct endpoint_message head;
        const struct model_submission *call = model_submission(submission->delivered);
        uint64_t stamp = 0;

        memcpy(&head, note->result, sizeof(head));
        if (submission->delivered != 0 && notes[submission->delivered].stamped &&
            call->state == MODEL_TAKEN) {
            stamp = stamps_read(note->result + sizeof(head), head.message_bytes);
        }
        model_received(cqe->user_data, &head, stamp);
    }
    if (submission->sqe.opcode == OPCODE_CALL && submission->answered_by != 0 && cqe->result >= 0 &&
        note->own && note->result != NULL) {
        uint64_t stamp = 0;

        if (notes[submission->answered_by].stamped) {
            stamp = stamps_read(note->result, (uint32_t)cqe->result);
        }
        model_answered(cqe->user_data, stamp);
    }
    block_free(actor, note->message_block);
    block_free(actor, note->result_block);
    actor->under_way--;
    if (hunt_options.twin) {
        twin_completion(actor, cqe, note);
    }
}

void actor_enter(struct actor *actor, uint64_t min_complete, uint64_t timeout_ns)
{
    int64_t result;
    uint32_t tail;

    hunt_note(HUNT_EVENT_ENTER, min_complete, timeout_ns, actor->pid, actor->thread);
    result = rt_syscall_cap_enter(min_complete, timeout_ns);
    if (actor->broken || result == TRANSPORT_RING_CORRUPT) {
        if (!actor->broken) {
            model_disagree("thread %llu: its ring failed closed without cause",
                           (unsigned long long)actor->thread);
        }
        return;
    }
    tail = ring_load_peer(&actor->header->cq_tail);
    if (result >= 0 && tail - actor->head < (uint64_t)result) {
        model_disagree("thread %llu: cap_enter said that %lld completions wait, and %u are to be "
                       "seen",
                       (unsigned long long)actor->thread, (long long)result, tail - actor->head);
    }
    if (tail - actor->head > LIMIT_CQ_ENTRIES) {
        model_disagree("thread %llu: the completion queue holds more than it can",
                       (unsigned long long)actor->thread);
        return;
    }
    while (actor->head != tail) {
        struct cqe cqe = actor->cq[actor->head % LIMIT_CQ_ENTRIES];

        actor->head++;
        completion_read(actor, &cqe);
    }
    ring_publish(&actor->header->cq_head, actor->head);
}

struct model_edge actor_cap(struct actor *actor, uint64_t interface_id)
{
    static struct model_edge edges[LIMIT_TABLE_SLOTS];
    uint32_t count = model_edges(actor->pid, edges, LIMIT_TABLE_SLOTS);
    uint32_t start = count == 0 ? 0 : (uint32_t)actor_below(actor, count);

    /* Often the newest, so that threads and processes meet at the same things. */
    if (count != 0 && actor_below(actor, 3) == 0) {
        for (uint32_t i = count; i > 0; i--) {
            if (interface_id == 0 || edges[i - 1].interface_id == interface_id) {
                return edges[i - 1];
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct model_edge *edge = &edges[(start + i) % count];

        if (interface_id == 0 || edge->interface_id == interface_id) {
            return *edge;
        }
    }
    return (struct model_edge){.id = 0};
}

/* ---- the program ----------------------------------------------------------------------------- */

static bool act_is_left_out(const struct actor *actor)
{
    for (uint32_t i = 0; hunt_options.keep && i < hunt_report->keep_count; i++) {
        if (hunt_report->keep[i].lineage == actor->lineage &&
            hunt_report->keep[i].index == actor->index) {
            return false;
        }
    }
    return hunt_options.keep;
}

/* Every second seed likes some acts and shuns others: what needs many of a kind together is met
 * sooner than if every run were the same mixture. */
static unsigned act_weight(unsigned act)
{
    static const unsigned factors[] = {0, 1, 1, 6};

    if (hunt_options.seed % 2 == 0) {
        return acts[act].weight;
    }
    return acts[act].weight * factors[mix(hunt_options.seed * 64 + act) % ARRAY_COUNT(factors)];
}

static unsigned act_choose(struct actor *actor)
{
    unsigned total = 1;
    unsigned choice;
    unsigned i = 0;

    for (unsigned k = 0; k < act_count; k++) {
        total += act_weight(k);
    }
    choice = (unsigned)actor_below(actor, total);
    while (i < act_count - 1 && choice >= act_weight(i)) {
        choice -= act_weight(i++);
    }
    return i;
}

static void act_run(struct actor *actor)
{
    unsigned act;

    actor->random = mix(mix(hunt_options.seed ^ actor->lineage) + actor->index);
    act = act_choose(actor);
    if (hunt_report->act_count < HUNT_ACTS) {
        hunt_report->act[hunt_report->act_count++] =
            (struct hunt_act){actor->lineage, actor->index};
    }
    hunt_note(HUNT_EVENT_ACT, act, actor->index, actor->pid, actor->thread);
    if (!act_page_joins(actor)) {
        acts[act].run(actor);
    }
}

/* A hexadecimal number behind the first letter of the name. */
static uint64_t lineage_read(const char *name)
{
    return strtoull(name + 1, NULL, 16);
}

void actor_open(struct actor *actor, const struct start_info *start)
{
    uint8_t *ring = (uint8_t *)(uintptr_t)start->ring;

    *actor = (struct actor){.start = start,
                            .header = (struct ring_header *)(void *)ring,
                            .sq = (struct sqe *)(void *)(ring + RING_SQ_OFFSET),
                            .cq = (const struct cqe *)(const void *)(ring + RING_CQ_OFFSET),
                            .arena = ring + RING_ARENA_OFFSET,
                            .pid = start->pid,
                            .thread = hunt_thread_name(start->pid, start->thread),
                            .lineage = lineage_read(start->process_name),
                            .last_name = &last_submission};
    if (start->thread != 1) {
        actor->lineage = mix(actor->lineage ^ start->thread_argument);
    }
}

/* Lets those who are still there come to their end: a while for each. */
static void actor_wind_down(struct actor *actor)
{
    for (unsigned i = 0; i < 40 && !actor->broken; i++) {
        actor_enter(actor, LIMIT_CQ_ENTRIES, 50 * 1000);
    }
}

void hunt_actor(const struct start_info *start)
{
    struct actor actor;
    uint32_t share;

    if (hunt_options.twin) {
        twin_actor(start);
        return;
    }
    actor_open(&actor, start);
    share = actor.pid == 1 && start->thread == 1 ? hunt_options.steps
                                                 : SHARE_LEAST + hunt_options.steps / SHARES;
    while (acts_done < hunt_options.steps && actor.index < share) {
        acts_done++;
        actor.index++;
        rt_cpu_pause(); /* a program that never enters the kernel would never be interrupted */
        if (!act_is_left_out(&actor)) {
            act_run(&actor);
        }
    }
    if (actor.pid == 1) {
        actor_wind_down(&actor);
    }
    (void)rt_syscall_exit(0, actor.pid == 1 ? EXIT_PROCESS : actor.index & 1);
}
