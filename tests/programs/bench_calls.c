/* SPDX-License-Identifier: MIT */
/*
 * What calls cost. The manifest makes two processes of this program: the one that owns an endpoint
 * serves, the other measures and prints `bench NAME VALUE UNIT`. One cycle is one instruction on
 * the deterministic clock of the scene that reads it, and the stubs of both programs are in it;
 * the ring client's own checks of lent buffers are off, as they would be in a program that is sold.
 *
 * For the tally of costly instructions, each row's last batch runs between tally_begin and
 * tally_end, whose addresses bench.py gives to the emulator's plugin.
 */
#include "core/string.h"
#include "schema/generated/endpoint.capnp.h"
#include "schema/generated/greeter.capnp.h"
#include "schema/generated/null.capnp.h"
#include "user/lib/endpoint.h"
#include "user/rt/call.h"
#include "user/rt/cap.h"
#include "user/rt/rt.h"
#include "user/rt/syscall.h"

enum {
    BATCHES = 21,
    ROUNDS = 1000,
    AT_ONCE = 32,
    SMALL_BYTES = 64,
    LARGE_BYTES = 1024,
    MESSAGE_BYTES = 4096,
    ANSWER_BYTES = 256, /* least room for the answer of a kernel object */
    METHOD_ECHO = 0,    /* answered with as many bytes as came */
    METHOD_STOP = 1,
    METHOD_USE = 2,  /* the capability that came is called once, and given up */
    METHOD_NEXT = 3, /* answered as ECHO, with a capability for the next call at path 0 */
    CHAIN = 4,
};

/* The calls of a chain: each but the last asks for a capability for the next one. */
struct chain {
    struct rt_call link[CHAIN];
};

struct bench {
    struct rt *rt;
    struct cap_id null;
    struct cap_id stale;
    struct cap_id server;
    struct rt_buffer message;
    struct rt_buffer answer;
    struct rt_buffer passed; /* a message with a capability */
    struct rt_call null_call;
    struct rt_call failed_call;
    struct rt_call call_64;
    struct rt_call call_1k;
    struct rt_call pass_call;
    struct chain server_chain;
    struct chain kernel_chain;
    struct cap_id received[CHAIN]; /* by the chain before, */
    uint32_t received_count;       /* as many as there were */
    uint64_t last;                 /* least of the row before */
};

struct row {
    const char *name;
    unsigned each; /* operations in one round */
    bool (*round)(struct bench *bench);
};

/* Where the plugin begins and ends counting. */
NOINLINE void tally_begin(void);
NOINLINE void tally_end(void);

void tally_begin(void)
{
    __asm__ volatile("" : : : "memory");
}

void tally_end(void)
{
    __asm__ volatile("nop" : : : "memory");
}

static bool null_call(struct bench *bench)
{
    return rt_call(&bench->rt->ring, &bench->null_call).status >= 0;
}

static bool failed_lookup(struct bench *bench)
{
    return rt_call(&bench->rt->ring, &bench->failed_call).status == TRANSPORT_STALE_CAP;
}

static bool call_64(struct bench *bench)
{
    return rt_call(&bench->rt->ring, &bench->call_64).status == SMALL_BYTES;
}

static bool call_1k(struct bench *bench)
{
    return rt_call(&bench->rt->ring, &bench->call_1k).status == LARGE_BYTES;
}

static bool pass_cap(struct bench *bench)
{
    return rt_call(&bench->rt->ring, &bench->pass_call).status == SMALL_BYTES;
}

static bool dup_release(struct bench *bench)
{
    struct rt_ring *ring = &bench->rt->ring;
    struct cap_id copy;

    return rt_duplicate_same(ring, bench->null, &copy) == TRANSPORT_OK &&
           rt_release(ring, copy) == TRANSPORT_OK;
}

/* AT_ONCE calls in one submission, written in place, then all their answers. */
static bool calls_at_once(struct bench *bench, const struct rt_call *call)
{
    struct rt_ring *ring = &bench->rt->ring;
    const struct sqe entry = rt_call_entry(call);
    uint32_t good = 0;

    for (uint32_t i = 0; i < AT_ONCE; i++) {
        struct sqe *place = rt_ring_place(ring, i);

        *place = entry;
        place->user_data = RT_RING_OWN | i;
    }
    rt_ring_push(ring, AT_ONCE);
    if (rt_syscall_cap_enter(AT_ONCE, TIMEOUT_NONE) != AT_ONCE) {
        return false;
    }
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        good += rt_ring_completion(ring, i)->result >= 0;
    }
    rt_ring_taken(ring, AT_ONCE);
    return good == AT_ONCE;
}

static bool null_call_batch32(struct bench *bench)
{
    return calls_at_once(bench, &bench->null_call);
}

static bool call_64_batch32(struct bench *bench)
{
    return calls_at_once(bench, &bench->call_64);
}

/* ---- chains ---------------------------------------------------------------------------------- */

/* Gives up what the chain before brought: entries from `place` on; how many. */
static uint32_t chain_release(struct bench *bench, uint32_t place)
{
    uint32_t count = bench->received_count;

    for (uint32_t i = 0; i < count; i++) {
        *rt_ring_place(&bench->rt->ring, place + i) = (struct sqe){
            .opcode = OPCODE_RELEASE, .user_data = RT_RING_OWN | CHAIN, .cap = bench->received[i]};
    }
    bench->received_count = 0;
    return count;
}

/* Submits `count` entries and waits for their completions; true: all are there, and good. */
static inline bool chain_enter(struct rt_ring *ring, uint32_t count)
{
    int32_t result = 0;

    rt_ring_push(ring, count);
    if (rt_syscall_cap_enter(count, TIMEOUT_NONE) != count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        result |= rt_ring_completion(ring, i)->result;
    }
    return result >= 0;
}

/* One call of a chain as an entry in place. */
static inline struct sqe *chain_call(struct bench *bench, const struct chain *chain, uint32_t place,
                                     uint32_t link)
{
    struct sqe *entry = rt_ring_place(&bench->rt->ring, place);

    rt_call_write(entry, &chain->link[link]);
    entry->user_data = RT_RING_OWN | link;
    return entry;
}

/* What came with the answer to a link, whose completion is the last of `count`; false: nothing. */
static inline bool chain_receive(struct bench *bench, const struct rt_call *link, uint32_t count)
{
    const struct cqe *completion = rt_ring_completion(&bench->rt->ring, count - 1);
    const uint8_t *behind = (const uint8_t *)link->result + completion->result;

    if (completion->flags >> CQE_CAPS_SHIFT != 1) {
        return false;
    }
    bench->received[bench->received_count++] =
        ((const struct received_cap *)(const void *)behind)->cap;
    return true;
}

/* Four calls, each on the capability that the one before answered with, one crossing each; what the
 * chain before brought is given up with the first. */
static bool single(struct bench *bench, const struct chain *chain)
{
    struct rt_ring *ring = &bench->rt->ring;
    uint32_t count = chain_release(bench, 0);

    for (uint32_t link = 0; link < CHAIN; link++) {
        struct sqe *entry = chain_call(bench, chain, count++, link);

        if (link != 0) {
            entry->cap = bench->received[link - 1];
        }
        if (!chain_enter(ring, count) ||
            (link + 1 < CHAIN && !chain_receive(bench, &chain->link[link], count))) {
            return false;
        }
        rt_ring_taken(ring, count);
        count = 0;
    }
    return true;
}

/* The same with one submission, each call promised from the answer of the one before, and the
 * answers kept no longer than that, with what they bring. */
static bool pipeline(struct bench *bench, const struct chain *chain)
{
    struct rt_ring *ring = &bench->rt->ring;
    struct rt_answer_id id[CHAIN - 1];
    uint32_t count = bench->received_count != 0 ? chain_release(bench, 0) : 0;

    for (uint32_t link = 0; link < CHAIN; link++) {
        struct sqe *entry = chain_call(bench, chain, count++, link);

        if (link != 0) {
            entry->flags = SQE_PROMISED;
            entry->promise = rt_promised(id[link - 1], (struct answer_path){.step = {1}});
        }
        if (link + 1 < CHAIN) {
            id[link] = rt_answer_take(ring);
            entry->answer = id[link].raw;
        }
    }
    for (uint32_t link = 0; link + 1 < CHAIN; link++) {
        struct sqe *entry = rt_ring_place(ring, count++);

        rt_finish_release_write(entry, id[link]);
        entry->user_data = RT_RING_OWN | CHAIN;
    }
    if (!chain_enter(ring, count)) {
        return false;
    }
    rt_ring_taken(ring, count);
    for (uint32_t link = 0; link + 1 < CHAIN; link++) {
        rt_answer_release(ring, id[link]);
    }
    return true;
}

static bool single_4(struct bench *bench)
{
    return single(bench, &bench->server_chain);
}

static bool pipeline_4(struct bench *bench)
{
    return pipeline(bench, &bench->server_chain);
}

static bool kernel_single_4(struct bench *bench)
{
    return single(bench, &bench->kernel_chain);
}

static bool kernel_pipeline_4(struct bench *bench)
{
    return pipeline(bench, &bench->kernel_chain);
}

static const struct row rows[] = {
    {"null_call", 1, null_call},
    {"null_call_batch32", AT_ONCE, null_call_batch32},
    {"failed_lookup", 1, failed_lookup},
    {"call_64", 1, call_64},
    {"call_1k", 1, call_1k},
    {"call_64_batch32", AT_ONCE, call_64_batch32},
    {"dup_release", 1, dup_release},
    {"pass_cap", 1, pass_cap},
    {"single_4", 1, single_4},
    {"pipeline_4", 1, pipeline_4},
    {"kernel_single_4", 1, kernel_single_4},
    {"kernel_pipeline_4", 1, kernel_pipeline_4},
};

/* Cycles of one batch; UINT64_MAX: a round failed. */
static uint64_t batch_run(struct bench *bench, const struct row *row)
{
    uint64_t start = rt_cycle_counter();

    for (unsigned i = 0; i < ROUNDS / row->each; i++) {
        if (!row->round(bench)) {
            return UINT64_MAX;
        }
    }
    return rt_cycle_counter() - start;
}

/* Prints what a chain in one submission costs over the same calls one by one. */
static void ratio_print(struct bench *bench, const char *name, uint64_t chain)
{
    uint64_t hundredths = (chain * 100 + bench->last - 1) / bench->last;

    (void)rt_print(bench->rt, "bench %s_ratio %llu.%llu%llu ratio\n", name,
                   (unsigned long long)(hundredths / 100),
                   (unsigned long long)(hundredths / 10 % 10),
                   (unsigned long long)(hundredths % 10));
}

static bool row_measure(struct bench *bench, const struct row *row)
{
    unsigned operations = ROUNDS / row->each * row->each;
    uint64_t least = UINT64_MAX;

    for (unsigned batch = 0; batch < BATCHES; batch++) {
        uint64_t took = batch_run(bench, row);

        if (took == UINT64_MAX) {
            (void)rt_print(bench->rt, "FAILED: %s\n", row->name);
            return false;
        }
        least = took < least ? took : least;
    }
    tally_begin();
    (void)batch_run(bench, row);
    tally_end();
    (void)rt_print(bench->rt, "bench %s %llu instructions\n", row->name,
                   (unsigned long long)(least / operations));
    (void)rt_print(bench->rt, "tallied %s %u\n", row->name, operations);
    if (row->round == pipeline_4 || row->round == kernel_pipeline_4) {
        ratio_print(bench, row->name, least);
    }
    bench->last = least;
    return true;
}

static struct rt_call call_make(const struct bench *bench, struct cap_id cap, uint64_t interface_id,
                                uint32_t bytes)
{
    return (struct rt_call){
        .cap = cap,
        .interface_id = interface_id,
        .message = bench->message.bytes,
        .message_bytes = bytes,
        .result = bench->answer.bytes,
        .result_bytes = bytes < ANSWER_BYTES ? ANSWER_BYTES : bytes,
    };
}

/* An id that was good once. */
static bool stale_make(struct bench *bench)
{
    return rt_find(bench->rt, "stale", NULL_OBJECT_INTERFACE_ID, &bench->stale) == TRANSPORT_OK &&
           rt_release(&bench->rt->ring, bench->stale) == TRANSPORT_OK;
}

static int measure(struct rt *rt)
{
    struct bench bench = {.rt = rt};
    struct rt_call stop;

    if (rt_find(rt, "null", NULL_OBJECT_INTERFACE_ID, &bench.null) != TRANSPORT_OK ||
        rt_find(rt, "server", GREETER_INTERFACE_ID, &bench.server) != TRANSPORT_OK ||
        !stale_make(&bench)) {
        return 1;
    }
    bench.message = rt_buffer_alloc(&rt->ring, MESSAGE_BYTES);
    bench.answer = rt_buffer_alloc(&rt->ring, MESSAGE_BYTES);
    rt->ring.checks = false;
    bench.null_call = call_make(&bench, bench.null, NULL_OBJECT_INTERFACE_ID, 8);
    bench.failed_call = call_make(&bench, bench.stale, NULL_OBJECT_INTERFACE_ID, 8);
    bench.call_64 = call_make(&bench, bench.server, GREETER_INTERFACE_ID, SMALL_BYTES);
    bench.call_1k = call_make(&bench, bench.server, GREETER_INTERFACE_ID, LARGE_BYTES);
    bench.passed = rt_buffer_alloc(&rt->ring, MESSAGE_BYTES);
    bench.pass_call = bench.call_64;
    bench.pass_call.method = METHOD_USE;
    bench.pass_call.message = bench.passed.bytes;
    bench.pass_call.transfers = 1;
    *(struct transfer *)(void *)(bench.passed.bytes + SMALL_BYTES) =
        (struct transfer){.cap = bench.null, .mode = TRANSFER_COPY};
    for (unsigned i = 0; i < CHAIN; i++) {
        uint8_t *result = rt_buffer_alloc(&rt->ring, ANSWER_BYTES).bytes;
        bool last = i + 1 == CHAIN;
        struct rt_call *link = &bench.server_chain.link[i];

        *link = bench.call_64;
        link->method = last ? METHOD_ECHO : METHOD_NEXT;
        link->result = result;
        link = &bench.kernel_chain.link[i];
        *link = bench.null_call;
        link->method = last ? NULL_OBJECT_METHOD_NOTHING : NULL_OBJECT_METHOD_NEXT;
        link->result = result;
    }
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        if (!row_measure(&bench, &rows[i])) {
            return 2;
        }
    }
    stop = bench.call_64;
    stop.method = METHOD_STOP;
    return rt_call(&rt->ring, &stop).status == SMALL_BYTES ? 0 : 3;
}

/* ---- the server ------------------------------------------------------------------------------ */

/*
 * It asks for RECEIVES calls at once, so that it takes up to as many each time it runs, and answers
 * them all with one submission. Entries are written in place; user_data tells an inbox's index or
 * OTHER.
 */
enum {
    RECEIVES = 8,
    OTHER = RECEIVES,
};

struct server {
    struct rt_ring *ring;
    struct cap_id endpoint;
    struct cap_id client; /* an edge of this endpoint, for METHOD_NEXT */
    struct rt_buffer inbox[RECEIVES];
    struct rt_buffer room;
    uint32_t written;                    /* entries that were not submitted yet */
    uint32_t others;                     /* of these: complete at once */
    const struct endpoint_message *stop; /* the call that said so */
};

static struct sqe *server_place(struct server *server, uint32_t name)
{
    struct sqe *place = rt_ring_place(server->ring, server->written++);

    place->user_data = RT_RING_OWN | name;
    return place;
}

/* Answers the call in an inbox with the bytes that came, and asks for the next one there. */
static inline void server_answer(struct server *server, uint32_t index,
                                 const struct endpoint_message *head)
{
    const struct rt_buffer inbox = server->inbox[index];
    struct sqe *place = server_place(server, index);

    rt_ring_first_word(place, OPCODE_RETURN_RECV | (uint64_t)head->message_bytes << 32);
    place->cap = server->endpoint;
    place->token = head->token;
    place->message = (uintptr_t)(head + 1);
    place->result = (uintptr_t)inbox.bytes;
    rt_ring_room_word(place, inbox.size);
    place->spare = 0;
    if (head->method == METHOD_NEXT) {
        struct transfer *transfer =
            (struct transfer *)(void *)(inbox.bytes + sizeof(*head) + head->message_bytes);

        *transfer =
            (struct transfer){.cap = server->client, .mode = TRANSFER_COPY, .path = {.step = {1}}};
        place->transfers = 1;
    }
}

/* Calls the one capability of the request, and gives it up. */
static inline void server_use(struct server *server, const struct endpoint_message *head)
{
    const uint8_t *behind = (const uint8_t *)(head + 1) + head->message_bytes;
    struct cap_id cap = ((const struct received_cap *)(const void *)behind)->cap;
    struct sqe *place = server_place(server, OTHER);

    place->opcode = OPCODE_CALL;
    place->flags = 0;
    place->method = 0;
    place->transfers = 0;
    place->message_bytes = 8;
    place->cap = cap;
    place->interface_id = NULL_OBJECT_INTERFACE_ID;
    place->message = (uintptr_t)server->room.bytes;
    place->result = (uintptr_t)server->room.bytes + ANSWER_BYTES;
    place->result_bytes = ANSWER_BYTES;
    place->answer = 0;
    place->spare = 0;
    place = server_place(server, OTHER);
    *place = (struct sqe){.opcode = OPCODE_RELEASE, .user_data = RT_RING_OWN | OTHER, .cap = cap};
    server->others += 2;
}

/* One completion; false: it is none that should come. */
static inline bool server_step(struct server *server, const struct cqe *completion)
{
    uint32_t index = (uint32_t)completion->user_data;
    const struct endpoint_message *head;

    if (completion->result < 0) {
        return false;
    }
    if (index == OTHER) {
        return true;
    }
    head = (const struct endpoint_message *)(const void *)server->inbox[index].bytes;
    if (UNLIKELY(head->method == METHOD_STOP)) {
        server->stop = head;
        return true;
    }
    if (head->method == METHOD_USE) {
        server_use(server, head);
    }
    server_answer(server, index, head);
    return true;
}

static bool server_begin(struct server *server, struct rt *rt)
{
    const struct endpoint_session session = {.interface_id = GREETER_INTERFACE_ID,
                                             .facet = UINT64_MAX,
                                             .badge = 1,
                                             .mode = AUTHORITY_TRANSFER_MODE_COPY};

    if (endpoint_client_mint(rt, (struct endpoint_owner){server->endpoint}, &session,
                             &server->client) != TRANSPORT_OK) {
        return false;
    }
    rt->ring.checks = false;
    server->room = rt_buffer_alloc(server->ring, 2 * ANSWER_BYTES);
    for (uint32_t i = 0; i < RECEIVES; i++) {
        struct rt_buffer inbox = rt_buffer_alloc(
            server->ring, RT_RECEIVE_BYTES(MESSAGE_BYTES) +
                              LIMIT_TRANSFERS * (uint32_t)sizeof(struct received_cap));

        if (inbox.bytes == NULL) {
            return false;
        }
        server->inbox[i] = inbox;
        *rt_ring_place(server->ring, server->written++) =
            (struct sqe){.opcode = OPCODE_RECV,
                         .user_data = RT_RING_OWN | i,
                         .cap = server->endpoint,
                         .result = (uintptr_t)inbox.bytes,
                         .result_bytes = inbox.size};
    }
    return true;
}

/* Answers the call that said stop, when all completions were taken. */
static int server_stop(const struct server *server)
{
    const struct rt_reply reply = {.endpoint = server->endpoint,
                                   .token = server->stop->token,
                                   .message = server->stop + 1,
                                   .message_bytes = server->stop->message_bytes};

    return rt_return(server->ring, &reply) == TRANSPORT_OK ? 0 : 4;
}

/* Answers every call with the bytes that came, until one says stop. */
static int serve(struct rt *rt, struct cap_id endpoint)
{
    struct server server = {.ring = &rt->ring, .endpoint = endpoint};

    if (!server_begin(&server, rt)) {
        return 7;
    }
    while (server.stop == NULL) {
        uint32_t wait = server.others + 1;
        uint32_t ready;

        rt_ring_push(server.ring, server.written);
        server.written = 0;
        server.others = 0;
        if (rt_syscall_cap_enter(wait, TIMEOUT_NONE) < 0) {
            return 5;
        }
        ready = rt_ring_ready(server.ring);
        for (uint32_t i = 0; i < ready; i++) {
            if (!server_step(&server, rt_ring_completion(server.ring, i))) {
                return 6;
            }
        }
        rt_ring_taken(server.ring, ready);
    }
    return server_stop(&server);
}

int main(struct rt *rt)
{
    const struct capset_entry *owner = rt_find_interface(rt, ENDPOINT_INTERFACE_ID);

    return owner != NULL ? serve(rt, owner->cap) : measure(rt);
}
