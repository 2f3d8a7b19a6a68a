/* See ledger.h. */
#include "cdc/ledger.h"

static core_lsn later(core_lsn a, core_lsn b) {
    return a > b ? a : b;
}

static cdc_ledger_entry *entry_at(cdc_ledger *ledger, size_t index) {
    return &ledger->entries[(ledger->first + index) % CDC_LEDGER_ENTRIES];
}

void cdc_ledger_init(cdc_ledger *ledger, const cdc_ledger_entry *stored) {
    ledger->first = 0;
    ledger->count = 0;
    ledger->acked = *stored;
    ledger->acked.safe_lsn = later(stored->shown_lsn, stored->safe_lsn);
}

void cdc_ledger_publish(cdc_ledger *ledger, const cdc_ledger_entry *entry) {
    assert(entry->sequence > ledger->acked.sequence);
    assert(ledger->count == 0 || entry->sequence > entry_at(ledger, ledger->count - 1)->sequence);
    if (ledger->count < CDC_LEDGER_ENTRIES)
        ledger->count++;
    *entry_at(ledger, ledger->count - 1) = *entry;
}

void cdc_ledger_progress(cdc_ledger *ledger, core_lsn lsn) {
    cdc_ledger_entry *newest =
        ledger->count > 0 ? entry_at(ledger, ledger->count - 1) : &ledger->acked;
    newest->safe_lsn = later(newest->safe_lsn, lsn);
}

void cdc_ledger_ack(cdc_ledger *ledger, uint64_t sequence) {
    while (ledger->count > 0 && entry_at(ledger, 0)->sequence <= sequence) {
        cdc_ledger_entry before = ledger->acked;
        ledger->acked = *entry_at(ledger, 0);
        ledger->acked.shown_lsn = later(ledger->acked.shown_lsn, before.shown_lsn);
        ledger->acked.safe_lsn = later(ledger->acked.safe_lsn, before.safe_lsn);
        ledger->acked.safe_lsn = later(ledger->acked.safe_lsn, ledger->acked.shown_lsn);
        ledger->first = (ledger->first + 1) % CDC_LEDGER_ENTRIES;
        ledger->count--;
    }
}

bool cdc_ledger_settled(const cdc_ledger *ledger) {
    return ledger->count == 0;
}
