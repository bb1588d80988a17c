/* SPDX-License-Identifier: MIT */
/* An endpoint's queues for the tests of core/endpoint.c, with records and sessions to put there. */
#ifndef TESTS_HOST_ENDPOINT_FIXTURE_H
#define TESTS_HOST_ENDPOINT_FIXTURE_H

#include "tests/host/support.h"

#include "core/endpoint.h"

#define RECORDS  160u
#define SESSIONS 24u

static const struct endpoint_limits plain = {
    .message_bytes = 4096, .capabilities = 4, .queue_length = 32};
static struct endpoint_queues queues;
static struct endpoint_record records[RECORDS];
static struct endpoint_session sessions[SESSIONS];

static inline void start(const struct endpoint_limits *limits)
{
    memset(records, 0, sizeof(records));
    memset(sessions, 0, sizeof(sessions));
    endpoint_queues_init(&queues, limits);
}

#endif
