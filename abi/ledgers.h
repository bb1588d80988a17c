/* SPDX-License-Identifier: MIT */
/* The names of the ledgers of a process, and how a refusal detail names one. Source: ledgers.def.
 */
#ifndef ABI_LEDGERS_H
#define ABI_LEDGERS_H

#include "abi/compiler.h"

enum ledger_line_name {
#define LEDGER(name, text, kind) LEDGER_##name,
#include "abi/ledgers.def"
#undef LEDGER
    LEDGER_LINES,
};

/* refusal.argument of TRANSPORT_LIMIT is this plus the line when a ledger of the caller is used up;
 * refusal.limit and .amount are then the line's limit and what was asked, in the line's unit. */
enum { ARGUMENT_LEDGER = 128 };

#endif
