/* SPDX-License-Identifier: MIT */
/*
 * Five minutes with Cap'n Proto in C: build a message, read it, refuse a hostile one, make a call.
 * capnp/README.md has the commands. No memory is allocated: messages lie where the caller says.
 */
#include "station.capnp.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Building: every setter may be called unasked; the builder remembers the first error. ---- */

static void report_build(struct station_report_builder report)
{
    station_report_set_station(report, CAPN_TEXT("Zugspitze"));
    station_report_set_hour(report, 481322);
    struct station_measurement_builder_list list = station_report_init_measurements(report, 2);
    struct station_measurement_builder first = station_measurement_list_edit(list, 0);
    station_measurement_set_unit(first, STATION_UNIT_CELSIUS);
    station_measurement_set_thousandths(first, -12500);
    struct station_measurement_builder second = station_measurement_list_edit(list, 1);
    station_measurement_set_unit(second, STATION_UNIT_PERCENT);
    station_measurement_set_thousandths(second, 81000);
    station_report_state_set_broken(station_report_init_state(report), CAPN_TEXT("ice"));
}

/* ---- Reading: nothing is copied; what a message does not have reads as its default. ---- */

static void report_print(struct station_report_reader report)
{
    static const char *const units[STATION_UNIT_COUNT] = {"C", "hPa", "%"};
    struct capn_text name = station_report_get_station(report);
    printf("%.*s at hour %" PRIu64 ", battery %u%%\n", (int)name.length, name.bytes,
           station_report_get_hour(report), (unsigned)station_report_get_battery(report));
    struct station_measurement_list list = station_report_get_measurements(report);
    for (uint32_t i = 0; i < list.raw.count; i++) {
        struct station_measurement_reader each = station_measurement_list_get(list, i);
        uint16_t unit =
            station_measurement_get_unit(each); /* a newer sender may have more of them */
        printf("  %.3f %s\n", station_measurement_get_thousandths(each) / 1000.0,
               unit < STATION_UNIT_COUNT ? units[unit] : "of an unknown unit");
    }
    struct station_report_state_reader state = station_report_get_state(report);
    if (station_report_state_which(state) == STATION_REPORT_STATE_WHICH_BROKEN) {
        struct capn_text why = station_report_state_get_broken(state);
        printf("  broken: %.*s\n", (int)why.length, why.bytes);
    }
}

/* Reads a message from who knows where: asks for the error when everything was read. */
static int message_read(const struct capn_segment *segment)
{
    struct capn_limits limits = {.traversal_words = 1024, .depth = 8};
    struct capn_reader reader;
    capn_reader_init(&reader, segment, 1, limits);
    report_print(station_report_read(capn_reader_root(&reader)));
    if (capn_reader_status(&reader) == CAPN_OK) {
        return 0;
    }
    printf("  refused: %s (%s at word %" PRIu64 ": %" PRIu64 ", allowed %" PRIu64 ")\n",
           capn_status_text(reader.error.code), reader.error.what, reader.error.word,
           reader.error.found, reader.error.limit);
    return 1;
}

/* ---- Calls: the generated stubs do both ends, the transport is yours: here, a function. ---- */

static enum capn_dispatch latest(void *object, struct capn_request *request,
                                 struct station_latest_params_reader params,
                                 struct station_latest_results_builder results)
{
    (void)object;
    if (station_latest_params_get_max_measurements(params) < 2) {
        return capn_request_refuse(request, (struct capn_refuse_reason){.argument = 0, .limit = 2});
    }
    report_build(station_latest_results_init_report(results));
    return CAPN_DISPATCH_ANSWERED;
}

static int32_t invoke(struct capn_call *call)
{
    static const struct station_server server = {.latest = latest};
    static uint8_t memory[1024];
    static struct capn_build_segment room = {.bytes = memory, .capacity_words = 128};
    struct capn_request request = {.interface_id = call->interface_id, .method = call->method};
    struct capn_segment parameters;
    capn_builder_segments(&call->request, &parameters);
    capn_reader_init(&request.parameters, &parameters, 1, CAPN_LIMITS_DEFAULT);
    capn_builder_init(&request.results, &room, 1);
    enum capn_dispatch outcome = station_dispatch(&server, NULL, &request);
    capn_builder_segments(&request.results, &call->response_segment);
    capn_reader_init(&call->response, &call->response_segment, 1, CAPN_LIMITS_DEFAULT);
    return (int32_t)outcome;
}

int main(void)
{
    uint8_t memory[512];
    struct capn_build_segment room = {.bytes = memory, .capacity_words = sizeof(memory) / 8};
    struct capn_builder builder;
    struct capn_segment segment;

    capn_builder_init(&builder, &room, 1);
    report_build(station_report_init(capn_builder_root(&builder)));
    if (capn_builder_status(&builder) != CAPN_OK) {
        return 1;
    }
    capn_builder_segments(&builder, &segment);
    printf("built %" PRIu64 " words\n", segment.words);
    if (message_read(&segment) != 0) {
        return 1;
    }

    memory[4 * 8] ^= 0x40; /* word 4 is the pointer to the list: now 16 words further */
    printf("the same, with one bit turned:\n");
    if (message_read(&segment) == 0) {
        return 1;
    }

    struct capn_call call = {.invoke = invoke, .request_segment = room};
    station_latest_params_set_max_measurements(station_latest_request(&call), 5);
    struct station_latest_results_reader results = station_latest_invoke(&call);
    printf("a call, status %" PRId32 ":\n", call.status);
    report_print(station_latest_results_get_report(results));
    station_latest_params_set_max_measurements(station_latest_request(&call), 1);
    (void)station_latest_invoke(&call);
    printf("another, status %" PRId32 "\n", call.status);
    return 0;
}
