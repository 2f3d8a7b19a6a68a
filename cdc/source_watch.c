/* The watch over the slot: figures for the metrics, warnings for readiness, and the heartbeat when
 * nothing else moves the position; see source_private.h.
 *
 * Every few seconds one short statement on the ordinary connection, in every state, since the slot
 * is in danger just when nothing is streamed. A server that does not answer is not told here: the
 * source's own steps say so. */
#include "cdc/source_private.h"

enum { WATCH_EVERY_MS = 5000 };

static core_lsn later(core_lsn a, core_lsn b) {
    return a > b ? a : b;
}

/* ---- Figures ---- */

static void health_show(const cdc_source *source) {
    const cdc_slot_health *health = &source->health;
    core_metrics *metrics = source->metrics;
    bool holds = health->restart_lsn != 0 && health->written_lsn > health->restart_lsn;
    core_lsn retained = holds ? health->written_lsn - health->restart_lsn : 0;
    core_metrics_set(metrics, CORE_METRIC_CDC_SLOT_ACTIVE, health->active);
    core_metrics_set(metrics, CORE_METRIC_CDC_SLOT_RETAINED_BYTES, (int64_t)retained);
    core_metrics_set(metrics, CORE_METRIC_CDC_SLOT_SAFE_WAL_BYTES, health->safe_wal_bytes);
    core_metrics_set(metrics, CORE_METRIC_CDC_SLOT_WAL_STATUS, health->wal_status);
    core_metrics_set(metrics, CORE_METRIC_CDC_LAG_BYTES, cdc_slot_lag_bytes(health));
}

/* Behind is who has not stored what the server had written when it was asked. How far in time: no
 * further than the last change that is stored, or than the last moment when all was. */
void cdc_source_lag_update(cdc_source *source) {
    const cdc_ledger_entry *acked = &source->ledger->acked;
    core_lsn stored_lsn = later(acked->safe_lsn, source->health.confirmed_lsn);
    int64_t seconds = 0;
    if (!source->has_health)
        return;
    if (stored_lsn >= source->health.written_lsn)
        source->caught_up_us = source->health_us;
    else {
        int64_t since_us = acked->commit_time_us > source->caught_up_us ? acked->commit_time_us
                                                                        : source->caught_up_us;
        seconds = (core_clock_wall_us(source->clock) - since_us) / (CORE_MS_PER_S * CORE_US_PER_MS);
    }
    core_metrics_set(source->metrics, CORE_METRIC_CDC_LAG_SECONDS, seconds > 0 ? seconds : 0);
}

/* ---- Warnings ---- */

static void health_judge(cdc_source *source) {
    const cdc_slot_limits limits = {
        .lag_bytes = core_config_integer(source->config, "cdc.warn_lag_bytes"),
        .safe_wal_bytes = core_config_integer(source->config, "cdc.warn_safe_wal_bytes"),
    };
    char reason[CORE_ERROR_TEXT_MAX] = "";
    bool warned = source->warning_text[0] != '\0'; /* written by this thread only */
    bool warns = cdc_slot_health_warns(&source->health, &limits, warned, reason, sizeof reason);
    cdc_source_warn(source, reason);
    core_metrics_set(source->metrics, CORE_METRIC_CDC_WARNING, warns);
    if (warns && !warned)
        CORE_LOG(source->log, WARN, "cdc", "the slot needs attention",
                 CORE_LOG_TEXT("reason", reason));
    else if (warned && !warns)
        CORE_LOG(source->log, INFO, "cdc", "the slot is well again",
                 CORE_LOG_NUMBER("lag_bytes", cdc_slot_lag_bytes(&source->health)),
                 CORE_LOG_NUMBER("safe_wal_bytes", source->health.safe_wal_bytes));
}

/* ---- Heartbeat ---- */

static bool is_at_rest(const cdc_source *source) {
    return source->state.current == SOURCE_STREAMING && cdc_ledger_settled(source->ledger) &&
           !cdc_run_builder_pending(source->builder) &&
           !cdc_run_builder_in_transaction(source->builder) &&
           !cdc_reorder_replaying(source->reorder);
}

static void heartbeat_send(cdc_source *source) {
    core_lsn lsn = 0;
    core_error error = {0};
    if (source->wal->heartbeat(source->wal, &lsn, &error)) {
        cdc_heartbeat_sent(&source->heartbeat, lsn, core_clock_ms(source->clock));
        core_metrics_add(source->metrics, CORE_METRIC_CDC_HEARTBEATS, 1);
        return;
    }
    source->heartbeat_refused = error.code != CORE_ERROR_TRANSIENT;
    CORE_LOG(source->log, WARN, "cdc",
             source->heartbeat_refused
                 ? "no heartbeat can be written and none is tried again: the slot of a quiet "
                   "database may hold WAL longer"
                 : "a heartbeat could not be written",
             CORE_LOG_TEXT("error", error.text));
}

static void heartbeat_consider(cdc_source *source) {
    int64_t every_ms = core_config_integer(source->config, "cdc.heartbeat");
    bool due =
        cdc_heartbeat_due(&source->heartbeat, source->ledger->acked.safe_lsn,
                          source->health.written_lsn, every_ms, core_clock_ms(source->clock));
    if (due && is_at_rest(source) && !source->heartbeat_refused)
        heartbeat_send(source);
}

/* ---- The watch ---- */

void cdc_source_watch_begin(cdc_source *source) {
    int64_t now_ms = core_clock_ms(source->clock);
    source->watch_at_ms = now_ms;
    cdc_heartbeat_init(&source->heartbeat, source->ledger->acked.safe_lsn, now_ms);
}

static void health_take(cdc_source *source, const cdc_slot_health *health) {
    source->health = *health;
    source->health_us = core_clock_wall_us(source->clock);
    if (!source->has_health)
        source->caught_up_us = source->health_us;
    source->has_health = true;
    health_show(source);
    cdc_source_lag_update(source);
    health_judge(source);
}

static bool slot_look(cdc_source *source) {
    cdc_slot_health health;
    core_error error = {0};
    bool ok = source->wal->watch(source->wal, &health, &error);
    if (ok)
        health_take(source, &health);
    else
        CORE_LOG(source->log, DEBUG, "cdc", "the slot could not be looked at",
                 CORE_LOG_TEXT("error", error.text));
    source->watch_at_ms = core_clock_ms(source->clock) + WATCH_EVERY_MS;
    return ok;
}

bool cdc_source_slot_taken(cdc_source *source) {
    return slot_look(source) && source->health.active;
}

void cdc_source_watch(cdc_source *source) {
    unsigned state = source->state.current;
    int64_t now_ms = core_clock_ms(source->clock);
    if (now_ms < source->watch_at_ms || state == SOURCE_STOPPED || state == SOURCE_DRAINING)
        return;
    if (slot_look(source) && state == SOURCE_STREAMING)
        heartbeat_consider(source);
}
