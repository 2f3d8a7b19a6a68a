/* See gap_text.h. One writer a reason, in one table. */
#include "cdc/gap_text.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct {
    char *text;
    const cdc_start_facts *facts;
    const cdc_gap *gap;
    const cdc_position *known;
} describer;

#define WRITE(d, ...) ((void)snprintf((d)->text, CDC_GAP_TEXT_MAX, __VA_ARGS__))

static void slot_missing(const describer *d) {
    WRITE(d,
          "slot \"%s\" is gone, but stream %s holds changes made from it up to " CORE_LSN_FORMAT
          ": what was committed since is missing until a new slot begins",
          d->facts->slot, d->facts->stream, CORE_LSN_ARGS(d->gap->from_lsn));
}

static void slot_lost(const describer *d) {
    WRITE(d,
          "slot \"%s\" is lost: %s; stream %s holds changes up to " CORE_LSN_FORMAT
          ", and what was committed since is missing until a new slot begins",
          d->facts->slot, d->facts->slot_state.lost_reason, d->facts->stream,
          CORE_LSN_ARGS(d->gap->from_lsn));
}

static void slot_ahead(const describer *d) {
    WRITE(d,
          "slot \"%s\" stands at " CORE_LSN_FORMAT ", but stream %s holds changes only up "
          "to " CORE_LSN_FORMAT
          ": what was committed between is missing; somebody dropped and made "
          "the slot anew, moved it (pg_replication_slot_advance) or read from it",
          d->facts->slot, CORE_LSN_ARGS(d->facts->slot_state.confirmed_lsn), d->facts->stream,
          CORE_LSN_ARGS(d->gap->from_lsn));
}

static void publication_remade(const describer *d) {
    WRITE(d,
          "the publication of slot \"%s\" was dropped and made anew (stream %s holds changes up "
          "to " CORE_LSN_FORMAT "): what was committed while it was gone is missing",
          d->facts->slot, d->facts->stream, CORE_LSN_ARGS(d->gap->from_lsn));
}

static void other_cluster(const describer *d) {
    WRITE(d,
          "postgres.url leads to another cluster (system identifier %" PRIu64
          ") than the one that stream %s was made from (%" PRIu64 "): its changes do not follow on",
          d->facts->system_id, d->facts->stream, d->known->system_id);
}

static void other_timeline(const describer *d) {
    const cdc_start_facts *facts = d->facts;
    if (facts->fork_lsn == 0)
        WRITE(d,
              "the server is on timeline %" PRIu32 ", which does not come from timeline %" PRIu32
              " that stream %s was made from: the stream holds changes that do not exist on this "
              "timeline",
              facts->timeline, d->known->timeline, facts->stream);
    else
        WRITE(d,
              "the server is on timeline %" PRIu32 ", which left timeline %" PRIu32
              " at " CORE_LSN_FORMAT ", but stream %s holds changes up to " CORE_LSN_FORMAT
              ": it holds changes that do not exist on this timeline",
              facts->timeline, d->known->timeline, CORE_LSN_ARGS(facts->fork_lsn), facts->stream,
              CORE_LSN_ARGS(d->gap->from_lsn));
}

static void server_behind(const describer *d) {
    WRITE(d,
          "the server has written WAL up to " CORE_LSN_FORMAT ", but stream %s holds changes up "
          "to " CORE_LSN_FORMAT ": the server was set back (an old copy of its data, or WAL lost "
          "with fsync off), and the stream holds changes that do not exist there",
          CORE_LSN_ARGS(d->facts->wal_lsn), d->facts->stream, CORE_LSN_ARGS(d->gap->from_lsn));
}

static void stream_lost(const describer *d) {
    uint64_t seen = d->facts->acked_sequence;
    if (d->known != NULL && d->known->sequence > seen)
        seen = d->known->sequence;
    WRITE(d,
          "stream %s ends at sequence %" PRIu64 ", but %" PRIu64
          " was acknowledged (the broker lost acknowledged messages), and slot \"%s\" stands "
          "at " CORE_LSN_FORMAT ", beyond what is left (up to " CORE_LSN_FORMAT
          "): what was lost cannot all be sent again",
          d->facts->stream, d->facts->last_sequence, seen, d->facts->slot,
          CORE_LSN_ARGS(d->facts->slot_state.confirmed_lsn), CORE_LSN_ARGS(d->gap->from_lsn));
}

static void stream_holed(const describer *d) {
    WRITE(d,
          "stream %s misses messages from sequence %" PRIu64 " on, before its last %" PRIu64
          " (the broker lost acknowledged messages), and slot \"%s\" stands at " CORE_LSN_FORMAT
          ", beyond what is whole (up to " CORE_LSN_FORMAT
          "): what was lost cannot all be sent again",
          d->facts->stream, d->facts->first_missing, d->facts->last_sequence, d->facts->slot,
          CORE_LSN_ARGS(d->facts->slot_state.confirmed_lsn), CORE_LSN_ARGS(d->gap->from_lsn));
}

static void record_missing(const describer *d) {
    WRITE(d,
          "stream %s holds messages up to sequence %" PRIu64
          ", but its position record (bucket %s_state) is %s: whether slot \"%s\" belongs to the "
          "cluster that they were made from cannot be told",
          d->facts->stream, d->facts->last_sequence, d->facts->stream,
          d->facts->record == NULL ? "gone" : "of another stream of that name", d->facts->slot);
}

static void stream_remade(const describer *d) {
    WRITE(d,
          "stream %s was deleted and made anew: what the old one held (up to " CORE_LSN_FORMAT
          ") is gone; the new one begins where slot \"%s\" stands",
          d->facts->stream, CORE_LSN_ARGS(d->gap->from_lsn), d->facts->slot);
}

static void replayed(const describer *d) {
    const char *why = d->facts->first_missing != 0 ? "the broker lost messages in the middle"
                      : d->facts->tail == NULL && d->facts->tail_gap == NULL
                          ? "its last messages aged out unrecorded"
                          : "the broker lost its last messages";
    WRITE(d,
          "stream %s: %s; slot \"%s\" sends all after sequence %" PRIu64 " (" CORE_LSN_FORMAT
          ") again, so nothing is missing, but what was stored after it comes a second time",
          d->facts->stream, why, d->facts->slot, d->gap->from_sequence,
          CORE_LSN_ARGS(d->gap->from_lsn));
}

static const struct {
    void (*write)(const describer *d);
    const char *remedy;
} texts[CDC_GAP_REASONS] = {
    [CDC_GAP_NONE] = {NULL, ""},
    [CDC_GAP_SLOT_MISSING] = {slot_missing, ""},
    [CDC_GAP_SLOT_LOST] = {slot_lost, ""},
    [CDC_GAP_SLOT_AHEAD] = {slot_ahead, ""},
    [CDC_GAP_PUBLICATION_REMADE] = {publication_remade, ""},
    [CDC_GAP_OTHER_CLUSTER] = {other_cluster,
                               "point postgres.url back, name a new nats.stream, or "},
    [CDC_GAP_OTHER_TIMELINE] = {other_timeline,
                                "point postgres.url to the server that went on, or "},
    [CDC_GAP_SERVER_BEHIND] = {server_behind, "point postgres.url to the server that went on, or "},
    [CDC_GAP_STREAM_LOST] = {stream_lost, "restore nats-server's store, or "},
    [CDC_GAP_STREAM_HOLED] = {stream_holed, "restore nats-server's store, or "},
    [CDC_GAP_RECORD_MISSING] = {record_missing, "restore the bucket, or "},
    [CDC_GAP_STREAM_REMADE] = {stream_remade, ""},
    [CDC_GAP_REPLAYED] = {replayed, ""},
};

void cdc_gap_describe(const cdc_start_facts *facts, cdc_start *start) {
    describer d = {start->gap.text, facts, &start->gap, cdc_start_known(facts)};
    if (texts[start->gap.reason].write != NULL)
        texts[start->gap.reason].write(&d);
}

const char *cdc_gap_remedy(cdc_gap_reason reason) {
    return texts[reason].remedy;
}
