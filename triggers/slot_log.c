/* A partition's log: one append at a time, under the last record that we know.
 *
 * Anything but a plain acknowledgement is looked into: what stands behind the record that we know?
 * Nothing: the append is sent again (an earlier one that comes late after all takes its place, and
 * then it is refused and found). Our own record: it was stored. Another's: he is the owner now, and
 * this slot is fenced.
 *
 * The log is trimmed by its owner: records before a state that is old enough, or before the oldest
 * ones when they take more than this partition's share of the stream. */
#include "triggers/worker_private.h"

#include <inttypes.h>

enum { AGAIN_MS = 200, AGAIN_FULL_MS = 1000 };

/* ---- appending ---- */

static void append_send(triggers_slot *slot) {
    triggers_worker *worker = slot->worker;
    triggers_call *call = triggers_call_new(slot, CALL_APPEND, 0);
    core_error error = {0};
    const fanout_parcel parcel = {.subject = slot->log_subject,
                                  .is_fenced = true,
                                  .expected_sequence = slot->log_end,
                                  .payload = core_buffer_slice(&slot->record)};
    slot->append = APPEND_SENT;
    if (!fanout_courier_publish(worker->courier, &parcel, triggers_call_reply(call), &error))
        triggers_call_fail(call, &error);
}

void triggers_slot_append(triggers_slot *slot, core_slice record) {
    triggers_record read;
    core_error error;
    assert(slot->append == APPEND_NONE);
    core_buffer_reset(&slot->record);
    core_buffer_slice_append(&slot->record, record);
    assert(core_buffer_ok(&slot->record));
    slot->record_has_state = triggers_record_read(record, &read, &error) && read.has_state;
    append_send(slot);
}

void triggers_slot_append_again(triggers_slot *slot) {
    append_send(slot);
}

static void append_later(triggers_slot *slot, int64_t wait_ms) {
    slot->append = APPEND_AGAIN;
    slot->append_again_ms = triggers_worker_now_ms(slot->worker) + wait_ms;
}

static void append_look(triggers_slot *slot) {
    triggers_worker *worker = slot->worker;
    triggers_call *call = triggers_call_new(slot, CALL_LOOK, 0);
    core_error error = {0};
    slot->append = APPEND_LOOKING;
    if (!fanout_courier_next(worker->courier, worker->streams[FANOUT_WORK_DELIVERIES],
                             slot->log_subject, slot->log_end + 1, triggers_call_reply(call),
                             &error))
        triggers_call_fail(call, &error);
}

/* ---- trimming ---- */

static void log_purge(triggers_slot *slot, uint64_t before) {
    triggers_worker *worker = slot->worker;
    triggers_call *call = triggers_call_new(slot, CALL_FORGET, 0);
    core_error ignored;
    if (!fanout_courier_purge(worker->courier, worker->streams[FANOUT_WORK_DELIVERIES],
                              slot->log_subject, before - 1, triggers_call_reply(call), &ignored))
        triggers_call_free(call);
}

/* How many of the oldest marks nobody needs: the one behind them begins what is kept. */
static size_t marks_old(const triggers_slot *slot, int64_t now_ms, uint64_t share_bytes) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < slot->mark_count; i++)
        bytes += slot->marks[i].bytes;
    size_t old = 0;
    while (old + 1 < slot->mark_count &&
           (now_ms - slot->marks[old + 1].at_ms > slot->worker->history_age_ms ||
            bytes > share_bytes || slot->mark_count - old == TRIGGERS_MARKS_MAX))
        bytes -= slot->marks[old++].bytes;
    return old;
}

static void log_trim(triggers_slot *slot, uint64_t share_bytes) {
    size_t old = marks_old(slot, triggers_worker_now_ms(slot->worker), share_bytes);
    if (old == 0)
        return;
    log_purge(slot, slot->marks[old].sequence);
    slot->mark_count -= old;
    for (size_t i = 0; i < slot->mark_count; i++)
        slot->marks[i] = slot->marks[i + old];
}

static void log_mark(triggers_slot *slot) {
    slot->log_bytes += slot->record.length;
    if (!slot->record_has_state)
        return;
    if (slot->mark_count == TRIGGERS_MARKS_MAX)
        log_trim(slot, 0);
    slot->marks[slot->mark_count++] = (triggers_mark){.sequence = slot->log_end,
                                                      .at_ms = triggers_worker_now_ms(slot->worker),
                                                      .bytes = slot->log_bytes};
    slot->log_bytes = 0;
    log_trim(slot, slot->worker->history_share_bytes);
}

/* ---- answers ---- */

static void append_done(triggers_slot *slot, uint64_t sequence) {
    slot->append = APPEND_NONE;
    slot->log_end = sequence;
    log_mark(slot);
    triggers_partition_appended(slot->partition, sequence, triggers_worker_now_ms(slot->worker));
}

static bool is_ours(const triggers_slot *slot, core_slice found) {
    triggers_record mine, other;
    core_error error;
    return triggers_record_read(core_buffer_slice(&slot->record), &mine, &error) &&
           triggers_record_read(found, &other, &error) && mine.owner == other.owner &&
           mine.number == other.number;
}

static void look_answer(triggers_slot *slot, const fanout_answer *answer, core_error_code code) {
    if (code == CORE_ERROR_INPUT)
        append_later(slot, 0);
    else if (code != CORE_ERROR_NONE)
        append_later(slot, AGAIN_MS);
    else if (is_ours(slot, answer->payload))
        append_done(slot, answer->sequence);
    else
        slot->is_fenced = true;
}

void triggers_slot_append_answer(triggers_slot *slot, triggers_call_kind kind,
                                 const fanout_answer *answer, core_error_code code) {
    if (kind == CALL_LOOK) {
        look_answer(slot, answer, code);
    } else if (code == CORE_ERROR_NONE && !answer->is_duplicate) {
        append_done(slot, answer->sequence);
    } else if (code == CORE_ERROR_FULL || code == CORE_ERROR_LIMIT) {
        CORE_LOG(slot->worker->spec.log, WARN, "triggers",
                 "the log of deliveries takes no record; older ones are removed",
                 CORE_LOG_NUMBER("partition", slot->number),
                 CORE_LOG_TEXT("code", core_error_code_name(code)));
        log_trim(slot, 0);
        append_later(slot, AGAIN_FULL_MS);
    } else {
        append_look(slot);
    }
}
