/* SPDX-License-Identifier: MIT */
/*
 * Moves. Each is made by the thread that is current: it submits something, enters the kernel, lets
 * time pass, scribbles on its ring, or ends. The first byte of a move chooses which; what it needs
 * follows, and an input that ends in the middle goes on with zeros.
 *
 * The programs are attackers who know everything: they choose among the ids that the kernel's
 * tables hold for them, those they gave up, and any number.
 */
#include "fuzz/dispatch/acts.h"

#include <string.h>

#include "fuzz/dispatch/look.h"
#include "schema/generated/capability.capnp.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/memory.capnp.h"
#include "schema/generated/process.capnp.h"

enum {
    ANY_INTERFACE = 0,
    CLIENT = FUZZ_INTERFACE,
    IDS_MAX = 256,
    LAST_CHOICE = 24, /* choices from here to 31 count from the end */
    BATCH = 0x80,     /* bit of a move's first byte: the kernel is not entered behind it */
    SPOIL = 0x40,     /* one field is spoilt */
    AWAIT = 0x20,     /* its completion is waited for */
    REPEAT_MAX = 64,
    PARK_BYTES = 16,
    STARVE_MAX = 24,
};

static uint8_t piece_next; /* places in an arena are used in turn */

/* ---- choosing -------------------------------------------------------------------------------- */

static uint64_t id_of(uint64_t interface_id, uint64_t choice)
{
    uint64_t ids[IDS_MAX];
    uint32_t count = look_ids(rig_thread()->process, interface_id, ids, IDS_MAX);

    if (count == 0) {
        return 0;
    }
    return choice < LAST_CHOICE ? ids[choice % count]
                                : ids[count - 1 - (choice - LAST_CHOICE) % count];
}

/* A capability: mostly one of this interface, of either client's for CLIENT. */
static uint64_t id_draw(uint64_t interface_id, struct dice *dice)
{
    uint64_t byte = dice_word(dice, 1);
    uint64_t id;

    switch (byte >> 5) {
    case 6:
        return id_of(ANY_INTERFACE, byte & 31);
    case 7:
        if ((byte & 16) == 0) {
            return play_recall(&play_stale, byte & 15);
        }
        return (byte & 8) == 0 ? dice_word(dice, 8)
                               : id_of(ANY_INTERFACE, byte & 7) + (UINT64_C(1) << CAP_SLOT_BITS);
    default:
        id = id_of(interface_id == CLIENT ? CLIENT + (byte >> 5 & 1) : interface_id, byte & 31);
        if (id == 0 && interface_id == CLIENT) {
            id = id_of(CLIENT + 1 - (byte >> 5 & 1), byte & 31);
        }
        return id != 0 ? id : id_of(ANY_INTERFACE, byte & 31);
    }
}

static uint64_t interface_of(uint64_t id)
{
    const struct cap_slot *slot =
        cap_table_resolve(&rig_thread()->process->table, (struct cap_id){id});

    return slot == NULL ? CLIENT : slot->edge.interface_id;
}

static uint64_t facet_draw(struct dice *dice)
{
    static const uint64_t facets[] = {UINT64_MAX, 7, 1, 0};
    uint64_t byte = dice_word(dice, 1);

    return (byte & 8) != 0 ? dice_word(dice, 8) : facets[byte % ARRAY_COUNT(facets)];
}

static uint32_t answer_named(uint64_t byte, struct dice *dice)
{
    return (byte & 0x80) != 0 ? (uint32_t)dice_word(dice, 4)
                              : (uint32_t)((1 + (byte >> 2 & 1)) << ANSWER_SLOT_BITS | (byte & 3));
}

static uint32_t answer_draw(struct dice *dice)
{
    return answer_named(dice_word(dice, 1), dice);
}

static void finish_draw(struct sqe *sqe, struct dice *dice)
{
    uint64_t byte = dice_word(dice, 1);

    sqe->answer = answer_named(byte, dice);
    sqe->flags = (byte & 0x40) != 0 ? SQE_RELEASE : 0;
}

static uint64_t token_draw(struct dice *dice)
{
    uint64_t byte = dice_word(dice, 1);

    return byte < 0xf0 ? play_recall(&play_tokens, byte & 7) : dice_word(dice, 8);
}

/* ---- messages -------------------------------------------------------------------------------- */

/* A message and descriptors behind it. */
static void outgoing_draw(struct sqe *sqe, struct dice *dice)
{
    uint64_t shape = dice_word(dice, 1);
    uint64_t first = UINT64_C(0xfffffffc);

    sqe->message = play_piece(piece_next++);
    sqe->message_bytes = (uint32_t)(shape & 15) * 8;
    sqe->transfers = (uint8_t)((shape >> 4 & 7) < 4 ? shape >> 4 & 3 : 0);
    if ((shape & 0x80) != 0) {
        sqe->message_bytes = (uint32_t)dice_below(dice, LIMIT_MESSAGE_BYTES / 8 + 1) * 8;
        sqe->transfers = (uint8_t)dice_below(dice, LIMIT_TRANSFERS + 1);
        sqe->message += dice_word(dice, 1);
    }
    play_write(sqe->message, &first, sizeof(first));
    for (uint8_t i = 0; i < sqe->transfers; i++) {
        uint64_t how = dice_word(dice, 1);
        struct transfer transfer = {.cap = {id_draw(CLIENT, dice)},
                                    .mode = (how & 1) != 0 ? TRANSFER_MOVE : TRANSFER_COPY};

        if (sqe->opcode != OPCODE_CALL || (how & 0x30) == 0x30) {
            transfer.path.step[0] = (uint8_t)(how >> 1 & 3);
            transfer.path.step[1] = (uint8_t)((how & 0x40) != 0);
        }
        if ((how & 0x80) != 0) {
            transfer.mode = (uint8_t)dice_word(dice, 1);
            transfer.flags = (uint8_t)(transfer.mode == 0xff);
            transfer.spare = (uint16_t)(transfer.mode == 0xfe);
            transfer.mode = transfer.mode > 0xf0 ? TRANSFER_COPY : transfer.mode;
        }
        play_write(sqe->message + sqe->message_bytes + i * sizeof(transfer), &transfer,
                   sizeof(transfer));
    }
}

static void incoming_draw(struct sqe *sqe, struct dice *dice)
{
    uint64_t shape = dice_word(dice, 1);

    sqe->result = play_result(piece_next++);
    sqe->result_bytes = PLAY_RESULT_BYTES;
    if (shape >= 0xf0) {
        sqe->result += dice_word(dice, 2);
    }
    if ((shape & 3) == 3) {
        sqe->result_bytes = (uint32_t)dice_word(dice, 2);
    }
}

/* A kernel object's method, its message with some bytes changed. */
static void object_call_draw(struct sqe *sqe, enum word_name name, const struct word_ask *ask,
                             struct dice *dice)
{
    struct word word;
    uint64_t changes;

    word_make(&word, name, ask);
    changes = dice_word(dice, 1) & 3;
    for (uint64_t i = 0; i < changes; i++) {
        uint8_t byte = (uint8_t)dice_word(dice, 1);

        word.bytes[dice_below(dice, word.length)] = byte;
    }
    *sqe = (struct sqe){.opcode = OPCODE_CALL,
                        .method = word.method,
                        .transfers = word.transfers,
                        .message_bytes = word.length,
                        .interface_id = word.interface_id,
                        .message = play_piece(piece_next),
                        .result = play_result(piece_next),
                        .result_bytes = PLAY_RESULT_BYTES};
    piece_next++;
    play_write(sqe->message, word.bytes, word.length);
}

static void act_object(struct dice *dice, struct sqe *sqe)
{
    enum word_name name = (enum word_name)dice_below(dice, WORDS);
    uint64_t extra = dice_word(dice, 1);
    struct word_ask ask = {.base = arch_vspace_base(&rig_thread()->process->vspace.arch),
                           .id = id_of(ANY_INTERFACE, extra & 31) +
                                 ((extra >> 5 & 1) << CAP_SLOT_BITS),
                           .how = (unsigned)(extra & 63)};

    object_call_draw(sqe, name, &ask, dice);
    sqe->cap.raw = id_draw(sqe->interface_id, dice);
    if ((extra & 0x80) != 0) {
        sqe->answer = answer_draw(dice);
    }
    for (uint8_t i = 0; i < sqe->transfers; i++) {
        uint64_t like = name == WORD_MAP_OBJECT ? MEMORY_OBJECT_INTERFACE_ID : CLIENT;
        struct transfer transfer = {.cap = {id_draw(like, dice)}, .mode = TRANSFER_COPY};

        play_write(sqe->message + sqe->message_bytes + i * sizeof(transfer), &transfer,
                   sizeof(transfer));
    }
}

/* ---- submissions, by opcode ------------------------------------------------------------------ */

static void call_draw(struct sqe *sqe, struct dice *dice)
{
    uint64_t how = dice_word(dice, 1);

    outgoing_draw(sqe, dice);
    incoming_draw(sqe, dice);
    sqe->method = (uint8_t)((how & 0x83) == 0x83 ? 64 + (how & 3) : how & 3);
    sqe->interface_id = CLIENT + (how >> 2 & 1);
    if ((how & 0x30) == 0x30) {
        sqe->flags = SQE_PROMISED;
        sqe->promise.answer = answer_draw(dice);
        sqe->promise.answer |= sqe->promise.answer == 0;
        sqe->promise.path.step[0] = (uint8_t)(1 + (how >> 3 & 1));
        sqe->promise.path.step[1] = (uint8_t)(how >> 7);
    } else {
        sqe->cap.raw = id_draw(CLIENT, dice);
        if ((how & 8) == 0) {
            sqe->interface_id = interface_of(sqe->cap.raw);
        }
    }
    if ((how & 0x40) != 0) {
        sqe->answer = answer_draw(dice);
    }
}

static void return_draw(struct sqe *sqe, struct dice *dice)
{
    uint64_t how = dice_word(dice, 1);

    sqe->cap.raw = id_draw(ENDPOINT_INTERFACE_ID, dice);
    sqe->token = token_draw(dice);
    sqe->flags = (how & 3) == 3 ? SQE_EXCEPTION : 0;
    outgoing_draw(sqe, dice);
    if (sqe->opcode == OPCODE_RETURN_RECV) {
        incoming_draw(sqe, dice);
    }
}

static void table_draw(struct sqe *sqe, struct dice *dice)
{
    static const uint64_t interfaces[] = {CLIENT,
                                          CAPABILITY_DELEGATION_INTERFACE_ID,
                                          PROCESS_HANDLE_INTERFACE_ID,
                                          ENDPOINT_INTERFACE_ID,
                                          ANY_INTERFACE,
                                          ANY_INTERFACE,
                                          MEMORY_OBJECT_INTERFACE_ID,
                                          CLIENT};
    uint64_t how = dice_word(dice, 1);

    sqe->cap.raw = id_draw(interfaces[how >> 5 & 7], dice);
    if (sqe->opcode == OPCODE_DUP) {
        static const uint8_t flags[] = {0, SQE_WINDOW, SQE_EXACT_SLOT, 0};

        sqe->flags = flags[how & 3];
        sqe->facet = facet_draw(dice);
    } else if (sqe->opcode == OPCODE_TRANSFER) {
        sqe->flags = (uint8_t)((how & 1 ? SQE_EXACT_SLOT : 0) | (how & 2 ? SQE_MOVE : 0) |
                               (how & 4 ? SQE_KEEP_GRANT : 0));
        sqe->target.raw = id_draw(PROCESS_HANDLE_INTERFACE_ID, dice);
    } else if (sqe->opcode == OPCODE_DELEGATE) {
        sqe->facet = facet_draw(dice);
    }
    if ((sqe->flags & SQE_EXACT_SLOT) != 0) {
        sqe->slot = (uint32_t)dice_below(dice, 320);
    }
}

static void park_draw(struct sqe *sqe, struct dice *dice)
{
    static const uint64_t timeouts[] = {0, 1000, 50 * 1000, TIMEOUT_NONE};
    uint64_t how = dice_word(dice, 1);

    sqe->address = rig_thread()->arena_address + LIMIT_PAGE_BYTES * 7;
    if ((how & 3) == 3) {
        sqe->cap.raw = id_draw(MEMORY_OBJECT_INTERFACE_ID, dice);
        sqe->address = 0;
    }
    sqe->address += (how >> 2 & 3) * 4;
    if ((how & 0xc0) == 0xc0) {
        sqe->address += dice_word(dice, 2);
    }
    sqe->value = (uint32_t)(how >> 4 & 1);
    if (sqe->opcode == OPCODE_PARK) {
        sqe->timeout_ns = timeouts[how >> 5 & 3];
    } else {
        sqe->value = (uint32_t)(how >> 4);
    }
}

static void submission_draw(struct sqe *sqe, uint8_t opcode, struct dice *dice)
{
    *sqe = (struct sqe){.opcode = opcode};
    switch ((enum opcode)opcode) {
    case OPCODE_CALL:
        call_draw(sqe, dice);
        break;
    case OPCODE_RECV:
        sqe->cap.raw = id_draw(ENDPOINT_INTERFACE_ID, dice);
        incoming_draw(sqe, dice);
        break;
    case OPCODE_RETURN:
    case OPCODE_RETURN_RECV:
        return_draw(sqe, dice);
        break;
    case OPCODE_RELEASE:
    case OPCODE_DUP:
    case OPCODE_TRANSFER:
    case OPCODE_DELEGATE:
        table_draw(sqe, dice);
        break;
    case OPCODE_REVOKE:
        sqe->cap.raw = id_draw(CAPABILITY_DELEGATION_INTERFACE_ID, dice);
        break;
    case OPCODE_TOKEN:
        sqe->slot = (uint32_t)dice_below(dice, LIMIT_TABLE_SLOTS + 8);
        sqe->interface_id = interface_of(id_of(ANY_INTERFACE, dice_word(dice, 1)));
        break;
    case OPCODE_FINISH:
        finish_draw(sqe, dice);
        break;
    case OPCODE_CANCEL:
        sqe->token = play_recall(&play_names, dice_word(dice, 1) & 7);
        break;
    case OPCODE_WATCH:
        sqe->cap.raw = id_draw(ENDPOINT_INTERFACE_ID, dice);
        sqe->token = token_draw(dice);
        break;
    case OPCODE_PARK:
    case OPCODE_UNPARK:
        park_draw(sqe, dice);
        break;
    default: /* NOP; and any bytes as a submission */
        if (opcode == OPCODE_FORWARD) {
            for (unsigned i = 0; i < SQE_FIELDS; i++) {
                uint8_t byte = (uint8_t)dice_word(dice, 1);

                ((uint8_t *)sqe)[dice_below(dice, sizeof(*sqe))] = byte;
            }
        }
        break;
    }
}

static void act_submit(struct dice *dice, uint8_t opcode, bool spoil, struct sqe *sqe)
{
    struct sqe_verdict verdict;

    if (opcode <= OPCODE_FORWARD) {
        submission_draw(sqe, opcode, dice);
    } else {
        act_object(dice, sqe);
    }
    spoil = spoil && opcode != OPCODE_FORWARD;
    if (spoil) {
        verdict = sqe_spoil(sqe, (unsigned)dice_below(dice, SQE_FIELDS), dice);
    }
    (void)play_submit(sqe, spoil ? &verdict : NULL);
}

/* ---- other moves ----------------------------------------------------------------------------- */

static void act_enter(struct dice *dice)
{
    static const uint64_t counts[] = {1, 1, 2, LIMIT_CQ_ENTRIES + 1};
    static const uint64_t timeouts[] = {0, 2000, 50 * 1000 * 1000, TIMEOUT_NONE};
    uint64_t how = dice_word(dice, 1);

    play_lazy((how & 0x80) != 0);
    play_enter(counts[how & 3], timeouts[how >> 2 & 3]);
}

/* Writes what it likes into the indices of its ring, or mends them. */
static void act_scribble(struct dice *dice)
{
    struct ring *ring = &rig_thread()->ring;
    uint64_t how = dice_word(dice, 1);
    uint32_t by = (uint32_t)dice_word(dice, 1) + 1;

    play_wild();
    switch (how & 7) {
    case 0:
        ring_publish(&ring->header->sq_tail, ring->sq_head + ring->sq_entries + by);
        break;
    case 1:
        ring_publish(&ring->header->cq_head, ring->cq_tail + by);
        break;
    case 2:
        ring_publish(&ring->header->cq_head, ring->cq_head - by);
        break;
    case 3:
        ring_publish(&ring->header->sq_tail, ring->sq_head + by % (ring->sq_entries + 1));
        break;
    case 4:
        ring_publish(&ring->header->corrupt, by - 1);
        break;
    case 5: /* what the kernel shows it, it never believes */
        ring_publish(&ring->header->cq_tail, ring->cq_tail - by);
        break;
    default:
        ring_publish(&ring->header->sq_tail, ring->sq_head);
        ring_publish(&ring->header->cq_head, ring->cq_tail);
        ring_publish(&ring->header->corrupt, 0);
        break;
    }
}

static void act_end(struct dice *dice)
{
    uint64_t how = dice_word(dice, 1);

    switch (how & 7) {
    case 0:
    case 1:
        rig_syscall(SYSCALL_EXIT, 0, EXIT_PROCESS);
        break;
    case 2:
    case 3:
        rig_syscall(SYSCALL_EXIT, how >> 4, EXIT_THREAD);
        break;
    case 4:
        rig_fault(how << 40);
        break;
    case 5:
        rig_syscall(SYSCALL_EXIT, 0, 2 + how);
        break;
    default:
        rig_syscall(how >> 3, 1, 0);
        break;
    }
    play_read();
}

static void act_poke(struct dice *dice)
{
    uint64_t how = dice_word(dice, 1);
    uint32_t value = (uint32_t)(how >> 4);

    play_write(rig_thread()->arena_address + LIMIT_PAGE_BYTES * 7 + (how & 3) * 4, &value,
               sizeof(value));
}

/* The numbers of moves: opcodes first, FORWARD for any bytes; a kernel object's method behind it.
 */
enum {
    MOVE_OBJECT = OPCODE_FORWARD + 1,
    MOVE_OBJECT_TOO,
    MOVE_ENTER,
    MOVE_GO,
    MOVE_GO_TOO,
    MOVE_WAIT,
    MOVE_SCRIBBLE,
    MOVE_END,
    MOVE_POKE,
    MOVE_STARVE,
    MOVE_CALL_TOO,
    MOVE_RECV_TOO,
    MOVE_RETURN_TOO,
    MOVE_REPEAT,
    MOVES,
};

static uint8_t opcode_of(unsigned move)
{
    switch (move) {
    case MOVE_CALL_TOO:
        return OPCODE_CALL;
    case MOVE_RECV_TOO:
        return OPCODE_RECV;
    case MOVE_RETURN_TOO:
        return OPCODE_RETURN;
    case MOVE_OBJECT_TOO:
        return MOVE_OBJECT;
    default:
        return (uint8_t)move;
    }
}

/* A submission, entered with, waited for, or left for the next. */
static void act_submission(uint64_t byte, struct dice *dice)
{
    struct sqe sqe;

    act_submit(dice, opcode_of(byte & 31), (byte & SPOIL) != 0, &sqe);
    if ((byte & BATCH) != 0) {
        return;
    }
    if ((byte & AWAIT) != 0) {
        play_enter(1, TIMEOUT_NONE);
    } else {
        play_enter(0, 0);
    }
}

static struct dice last_choices; /* of the last submission */
static uint64_t last_byte;
static bool has_last;

/* The same again, many times: what the choices mean then may be something else. */
static void act_repeat(struct dice *dice)
{
    uint64_t count = dice_below(dice, REPEAT_MAX) + 1;

    for (uint64_t i = 0; i < count && has_last && rig_turn() == RIG_PROGRAM; i++) {
        struct dice choices = last_choices;

        act_submission(last_byte & ~(uint64_t)AWAIT, &choices);
    }
    if (rig_turn() == RIG_PROGRAM) {
        play_enter(0, 0);
    }
}

void act_reset(void)
{
    piece_next = 0;
    has_last = false;
}

void act_next(struct dice *dice)
{
    uint64_t byte = dice_word(dice, 1);

    switch (byte & 31) {
    case MOVE_ENTER:
        act_enter(dice);
        break;
    case MOVE_GO:
    case MOVE_GO_TOO:
        play_go_to(1 + (byte >> 5));
        break;
    case MOVE_WAIT:
        rig_wait(dice_word(dice, 2) << (byte >> 5));
        play_read();
        break;
    case MOVE_SCRIBBLE:
        act_scribble(dice);
        play_enter(0, 0);
        break;
    case MOVE_END:
        act_end(dice);
        break;
    case MOVE_POKE:
        act_poke(dice);
        break;
    case MOVE_STARVE:
        rig_starve((uint32_t)dice_below(dice, STARVE_MAX), 1 + (uint32_t)(byte >> 5));
        break;
    case MOVE_REPEAT:
        act_repeat(dice);
        break;
    default:
        if ((byte & 31) < MOVES) {
            last_choices = *dice;
            last_byte = byte;
            has_last = true;
            act_submission(byte, dice);
        }
        break;
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

static struct cqe called;
static uint64_t received;

struct cqe act_call(enum word_name name, uint64_t cap, const uint64_t *transfers)
{
    struct dice none = {NULL, 0};
    uint64_t me = rig_thread()->process->pid;
    struct received_cap first;
    struct sqe sqe;
    uint64_t submission;
    struct word_ask ask = {.base = arch_vspace_base(&rig_thread()->process->vspace.arch)};

    object_call_draw(&sqe, name, &ask, &none);
    sqe.cap.raw = cap;
    for (uint8_t i = 0; i < sqe.transfers; i++) {
        struct transfer transfer = {.cap = {transfers[i]}, .mode = TRANSFER_COPY};

        play_write(sqe.message + sqe.message_bytes + i * sizeof(transfer), &transfer,
                   sizeof(transfer));
    }
    submission = play_submit(&sqe, NULL);
    play_enter(0, 0);
    for (unsigned i = 0; i < 1000 && !play_is_done(submission, &called); i++) {
        rig_wait(UINT64_MAX);
        play_read();
    }
    play_go_to(me);
    if (!play_is_done(submission, &called) || called.result < 0 ||
        (called.flags & CQE_EXCEPTION) != 0 || rig_thread()->process->pid != me) {
        look_complain("the beginning failed", name, (uint64_t)called.result);
    }
    received = 0;
    if (called.flags >> CQE_CAPS_SHIFT != 0) {
        for (uint32_t i = 0; i < sizeof(first); i++) {
            ((uint8_t *)&first)[i] =
                *rig_user_byte(rig_thread(), sqe.result + (uint32_t)called.result + i);
        }
        received = first.cap.raw;
    }
    return called;
}

uint64_t act_received(void)
{
    return received;
}
