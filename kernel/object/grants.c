/* SPDX-License-Identifier: MIT */
/*
 * Delegations: the kernel objects around core/grant.
 *
 * DELEGATE gives its caller two edges: a new edge of the object, below a new node, to be handed on;
 * and a handle, an edge of a delegation object, to be kept. The handle's meaning when it is
 *   dropped      one handle less; the last one splices the node, nobody can revoke it any more
 *   duplicated   another handle of the same delegation, with a facet as narrow as one likes
 *   transferred  the receiver can revoke (facet revoke) or look (facet info)
 *   of a process that dies: dropped, with its table
 *   delegated    refused: a chain of handles of handles would have no bound
 * A handle keeps the object alive, revoked or not, for what it tells.
 *
 * Locks: none of its own. What can fail: memory, depth, the right.
 */
#include "kernel/object/grants.h"

#include "core/assert.h"
#include "kernel/dispatch/call.h"
#include "kernel/mem/kmem.h"
#include "kernel/object/facet.h"
#include "kernel/work_check.h"
#include "schema/generated/capability.capnp.h"
#include "schema/generated/exception.capnp.h"

static struct kmem_cache node_cache;
static struct kmem_cache delegation_cache;

void grants_init(void)
{
    kmem_cache_init(&node_cache, "grant", sizeof(struct grant_node));
    kmem_cache_init(&delegation_cache, "delegation", sizeof(struct delegation));
    revocations_init();
}

void grant_node_free(struct grant_node *node)
{
    kmem_free(&node_cache, node);
}

static enum transport_error refuse(struct refusal *refusal, enum transport_error error,
                                   enum refusal_argument argument, uint64_t amount)
{
    refusal->argument = (uint16_t)argument;
    refusal->amount = amount;
    return error;
}

/* Memory of both, paid for, or nothing. */
static enum transport_error delegation_alloc(struct account *account,
                                             struct delegation **delegation,
                                             struct grant_node **node, struct refusal *refusal)
{
    if (account_charge(account, LEDGER_GRANT_NODES, 1) != STATUS_OK) {
        struct ledger_refusal ledger = account_refusal(account, LEDGER_GRANT_NODES, 1);

        return account_refuse(&ledger, refusal);
    }
    memory_permit_begin(); /* a delegation */
    *delegation = kmem_alloc(&delegation_cache);
    *node = *delegation == NULL ? NULL : kmem_alloc(&node_cache);
    memory_permit_end();
    if (*node != NULL) {
        return TRANSPORT_OK;
    }
    if (*delegation != NULL) {
        kmem_free(&delegation_cache, *delegation);
    }
    account_release(account, LEDGER_GRANT_NODES, 1);
    return refuse(refusal, TRANSPORT_NO_MEMORY, ARGUMENT_NONE, 0);
}

enum transport_error delegation_make(const struct delegation_plan *plan, struct hold_edge *edge,
                                     struct hold_edge *handle, struct refusal *refusal)
{
    const struct hold_edge *source = plan->source;
    struct object *subject = source->object;
    struct delegation *delegation = NULL;
    struct grant_node *node = NULL;
    enum transport_error error;

    if (source->mode == EDGE_MODE_NONE || subject->type == &delegation_type) {
        return refuse(refusal, TRANSPORT_NOT_GRANTABLE, ARGUMENT_CAP, source->mode);
    }
    if (hold_edge_duplicate(source, plan->facet, edge) != TRANSPORT_OK) {
        return refuse(refusal, TRANSPORT_NO_METHOD, ARGUMENT_FACET, plan->facet);
    }
    error = delegation_alloc(plan->account, &delegation, &node, refusal);
    if (error != TRANSPORT_OK) {
        return error;
    }
    if (grant_delegate(&subject->grants, source->grant, node) != TRANSPORT_OK) {
        kmem_free(&node_cache, node);
        kmem_free(&delegation_cache, delegation);
        account_release(plan->account, LEDGER_GRANT_NODES, 1);
        refusal->limit = GRANT_DEPTH_MAX;
        return refuse(refusal, TRANSPORT_LIMIT, ARGUMENT_CAP, GRANT_DEPTH_MAX + 1);
    }
    edge->grant = node;
    if (source->grant == NULL) {
        edge->epoch = atomic_load_acquire_u64(&subject->grants.epoch); /* nothing lies above */
    }
    edge_ref(edge);
    object_init(&delegation->object, &delegation_type);
    delegation->subject = subject;
    object_ref(subject);
    delegation->node = node;
    delegation->account = plan->account;
    delegation->interface_id = source->interface_id;
    *handle =
        object_edge(&delegation->object, CAPABILITY_DELEGATION_INTERFACE_ID, CAP_FACET_ALL, 0);
    edge_mode_set(handle, AUTHORITY_TRANSFER_MODE_COPY_GRANTABLE);
    object_unref(&delegation->object);
    return TRANSPORT_OK;
}

static void delegation_destroy(struct object *object)
{
    struct delegation *delegation = CONTAINER_OF(object, struct delegation, object);

    ASSERT(delegation->subject->type != &delegation_type); /* so this does not nest */
    account_release(delegation->account, LEDGER_GRANT_NODES, 1);
    grant_splice(delegation->node);
    grant_unref(delegation->node, grant_node_free);
    object_unref(delegation->subject);
    kmem_free(&delegation_cache, delegation);
}

static enum capn_dispatch
delegation_revoke(void *object, struct capn_request *request,
                  struct capability_delegation_revoke_params_reader params,
                  struct capability_delegation_revoke_results_builder results)
{
    (void)object;
    (void)params;
    (void)results;
    return call_refuse(request, EXCEPTION_REASON_OPCODE_ONLY, 0, 0);
}

static enum capn_dispatch delegation_info(void *object, struct capn_request *request,
                                          struct capability_delegation_info_params_reader params,
                                          struct capability_delegation_info_results_builder results)
{
    const struct delegation *delegation =
        CONTAINER_OF((struct object *)object, struct delegation, object);

    (void)request;
    (void)params;
    capability_delegation_info_results_set_revoked(results, !grant_walk(delegation->node));
    capability_delegation_info_results_set_depth(results, (uint16_t)grant_depth(delegation->node));
    capability_delegation_info_results_set_below(
        results, (uint32_t)atomic_load_relaxed_u64(&delegation->node->below));
    capability_delegation_info_results_set_interface_id(results, delegation->interface_id);
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch delegation_call(struct object *object, struct capn_request *request)
{
    static const struct capability_delegation_server server = {.revoke = delegation_revoke,
                                                               .info = delegation_info};

    return capability_delegation_dispatch(&server, object, request);
}

const struct object_type delegation_type = {
    .name = "delegation", .call = delegation_call, .destroy = delegation_destroy};
