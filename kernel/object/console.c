/* SPDX-License-Identifier: MIT */
/* Console: bytes from programs to the boot console, each write whole. */
#include "kernel/dispatch/call.h"
#include "kernel/log.h"
#include "kernel/object/kernel_objects.h"
#include "schema/generated/console.capnp.h"
#include "schema/generated/exception.capnp.h"

enum {
    CONSOLE_WRITE_BYTES_MAX = 4096,
};

static enum capn_dispatch console_write(void *object, struct capn_request *request,
                                        struct console_write_params_reader params,
                                        struct console_write_results_builder results)
{
    struct capn_data bytes = console_write_params_get_bytes(params);

    (void)object;
    if (!console_write_params_has_bytes(params)) {
        return call_refuse(request, EXCEPTION_REASON_MISSING_ARGUMENT, 0, 0);
    }
    if (bytes.length > CONSOLE_WRITE_BYTES_MAX) {
        return call_refuse(request, EXCEPTION_REASON_LIMIT_EXCEEDED, CONSOLE_WRITE_BYTES_MAX,
                           bytes.length);
    }
    if (!capn_request_is_malformed(request)) {
        if (account_log_charge(call_of(request)->caller->process->account, bytes.length,
                               arch_clock_ns()) != STATUS_OK) {
            return call_refuse_ledger(request, LEDGER_LOG_BYTES, bytes.length);
        }
        log_console((const char *)bytes.bytes, bytes.length);
        console_write_results_set_written_bytes(results, (uint32_t)bytes.length);
    }
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch console_info(void *object, struct capn_request *request,
                                       struct console_info_params_reader params,
                                       struct console_info_results_builder results)
{
    (void)object;
    (void)request;
    (void)params;
    (void)results;
    return CAPN_DISPATCH_ANSWERED;
}

static enum capn_dispatch console_call(struct object *object, struct capn_request *request)
{
    static const struct console_server server = {.write = console_write, .info = console_info};

    return console_dispatch(&server, object, request);
}

static const struct object_type console_type = {.name = "console", .call = console_call};

struct object console_object = OBJECT_STATIC(&console_type);
