/* Where to go on: each state that stream, record, server and slot can be in, in one table, and
 * every gap told. */
#include "cdc/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* What is not said of a case is: a record at sequence 7 that knows transaction 1000 whole up to
 * 1050, a tail that shows the same, a slot confirmed to 500, one cluster, one timeline. */
enum {
    CREATED = 5555,
    SYSTEM = 42,
    RECORD_SEQUENCE = 7,
    RECORD_COMMIT = 1000,
    RECORD_END = 1050,
    CONFIRMED = 500,
    WAL = 100000,
};

typedef enum { TAIL_RUN, TAIL_NONE, TAIL_GAP } tail_kind;

typedef struct {
    const char *what;
    tail_kind tail;
    bool no_record;
    bool record_is_new; /* first read at this attempt */
    bool slot_missing;
    bool slot_lost;
    bool publication_made;
    bool cut;             /* the tail's transaction is not whole */
    core_lsn tail_commit; /* 0: the record's */
    core_lsn record_end;  /* 0: RECORD_END */
    core_lsn confirmed;   /* 0: CONFIRMED */
    core_lsn before;      /* 0: the same; 1: none yet */
    core_lsn wal;         /* 0: WAL */
    core_lsn fork;
    uint64_t last_sequence; /* 0: the record's */
    uint64_t tail_sequence; /* 0: the last */
    uint64_t first_missing;
    uint64_t acked;
    uint64_t gap_gaps; /* GAP events that the tail, a GAP, counts */
    uint64_t record_gaps;
    uint64_t record_gap_sequence;
    int64_t created;          /* 0: CREATED; of the stream as it is now */
    uint64_t system;          /* 0: SYSTEM; the server's */
    uint32_t timeline;        /* 0: 1; the server's */
    uint32_t publication_oid; /* 0: the record's */
    /* What is decided. */
    bool look_again;
    cdc_gap_reason reason;
    bool new_epoch;
    core_lsn commit; /* to skip up to */
    core_lsn start;
    core_lsn end;
} start_case;

static const start_case cases[] = {
    {.what = "a fresh start begins at the slot",
     .tail = TAIL_NONE,
     .no_record = true,
     .new_epoch = true,
     .end = CONFIRMED},
    {.what = "a fresh start with a lost slot",
     .tail = TAIL_NONE,
     .no_record = true,
     .slot_lost = true,
     .reason = CDC_GAP_SLOT_LOST,
     .new_epoch = true},
    {.what = "a whole tail goes on behind it",
     .last_sequence = 12,
     .tail_commit = 2000,
     .commit = 2000,
     .start = 2050,
     .end = 2050},
    {.what = "a cut tail asks for its transaction again",
     .last_sequence = 12,
     .cut = true,
     .tail_commit = 2000,
     .commit = 2000,
     .start = 2000,
     .end = 2000},
    {.what = "keepalives carried the slot beyond the tail, the record says so",
     .record_end = 9000,
     .confirmed = 9000,
     .commit = RECORD_COMMIT,
     .start = 9000,
     .end = 9000},
    {.what = "an aged out tail leaves the record",
     .tail = TAIL_NONE,
     .commit = RECORD_COMMIT,
     .start = RECORD_END,
     .end = RECORD_END},
    {.what = "messages behind the record aged out: they come again",
     .tail = TAIL_NONE,
     .last_sequence = 9,
     .reason = CDC_GAP_REPLAYED,
     .new_epoch = true,
     .commit = RECORD_COMMIT,
     .start = RECORD_END,
     .end = RECORD_END},
    {.what = "messages behind the record aged out and cannot come again",
     .tail = TAIL_NONE,
     .last_sequence = 9,
     .confirmed = 1051,
     .reason = CDC_GAP_SLOT_AHEAD},

    {.what = "a slot at the stream's end",
     .confirmed = RECORD_END,
     .commit = RECORD_COMMIT,
     .start = RECORD_END,
     .end = RECORD_END},
    {.what = "a slot beyond the stream is looked at twice",
     .confirmed = 1051,
     .before = 1,
     .look_again = true},
    {.what = "a slot beyond the stream", .confirmed = 1051, .reason = CDC_GAP_SLOT_AHEAD},
    {.what = "a slot that is gone", .slot_missing = true, .reason = CDC_GAP_SLOT_MISSING},
    {.what = "a slot that is lost", .slot_lost = true, .reason = CDC_GAP_SLOT_LOST},
    {.what = "a publication that was just made",
     .publication_made = true,
     .reason = CDC_GAP_PUBLICATION_REMADE},
    {.what = "a publication of another oid",
     .publication_oid = 778,
     .reason = CDC_GAP_PUBLICATION_REMADE},

    {.what = "another cluster", .system = 43, .reason = CDC_GAP_OTHER_CLUSTER, .new_epoch = true},
    {.what = "another cluster without a slot",
     .system = 43,
     .slot_missing = true,
     .reason = CDC_GAP_OTHER_CLUSTER,
     .new_epoch = true},
    {.what = "a promoted standby that had everything",
     .timeline = 2,
     .fork = 1050,
     .commit = RECORD_COMMIT,
     .start = 1050,
     .end = 1050},
    {.what = "a promoted standby, behind only where nothing was for us",
     .timeline = 2,
     .record_end = 9000,
     .fork = 2000,
     .commit = RECORD_COMMIT,
     .start = 2000,
     .end = 2000},
    {.what = "a promoted standby that lacks what the stream holds",
     .timeline = 2,
     .fork = 1000,
     .reason = CDC_GAP_OTHER_TIMELINE,
     .new_epoch = true},
    {.what = "a timeline that does not come from ours",
     .timeline = 3,
     .reason = CDC_GAP_OTHER_TIMELINE,
     .new_epoch = true},
    {.what = "a promoted standby without the slot",
     .timeline = 2,
     .fork = 1050,
     .slot_missing = true,
     .reason = CDC_GAP_SLOT_MISSING},
    {.what = "a server that was set back",
     .wal = 1049,
     .reason = CDC_GAP_SERVER_BEHIND,
     .new_epoch = true},

    {.what = "a stream that went back is looked at twice",
     .record_is_new = true,
     .last_sequence = 5,
     .tail_commit = 800,
     .look_again = true},
    {.what = "a stream that went back, and the slot has it all",
     .last_sequence = 5,
     .tail_commit = 800,
     .reason = CDC_GAP_REPLAYED,
     .new_epoch = true,
     .commit = 800,
     .start = 850,
     .end = 850},
    {.what = "a stream that went back beyond the slot",
     .last_sequence = 5,
     .tail_commit = 800,
     .confirmed = 851,
     .reason = CDC_GAP_STREAM_LOST,
     .new_epoch = true},
    {.what = "a stream that went back behind what we saw acked",
     .record_is_new = true,
     .last_sequence = 9,
     .acked = 11,
     .tail_commit = 2000,
     .reason = CDC_GAP_REPLAYED,
     .new_epoch = true,
     .commit = 2000,
     .start = 2050,
     .end = 2050},
    {.what = "a tail of an earlier place than the record's",
     .last_sequence = 8,
     .tail_commit = 800,
     .reason = CDC_GAP_REPLAYED,
     .new_epoch = true,
     .commit = 800,
     .start = 850,
     .end = 850},
    {.what = "a stream that is empty where it was not",
     .tail = TAIL_NONE,
     .last_sequence = 5,
     .reason = CDC_GAP_STREAM_LOST,
     .new_epoch = true},
    {.what = "a stream that went back into the history before its last GAP",
     .last_sequence = 5,
     .tail_commit = 800,
     .record_gaps = 1,
     .record_gap_sequence = 6,
     .reason = CDC_GAP_STREAM_LOST,
     .new_epoch = true},
    {.what = "a hole, and the slot has it all",
     .first_missing = 5,
     .tail_sequence = 4,
     .tail_commit = 800,
     .reason = CDC_GAP_REPLAYED,
     .new_epoch = true,
     .commit = 800,
     .start = 850,
     .end = 850},
    {.what = "a hole before the slot's position",
     .first_missing = 5,
     .tail_sequence = 4,
     .tail_commit = 800,
     .confirmed = 851,
     .reason = CDC_GAP_STREAM_HOLED,
     .new_epoch = true},

    {.what = "a stream made anew",
     .tail = TAIL_NONE,
     .created = 6666,
     .confirmed = 99999,
     .reason = CDC_GAP_STREAM_REMADE,
     .new_epoch = true},
    {.what = "messages and no record",
     .no_record = true,
     .reason = CDC_GAP_RECORD_MISSING,
     .new_epoch = true},
    {.what = "messages and a record of another stream",
     .created = 6666,
     .reason = CDC_GAP_RECORD_MISSING,
     .new_epoch = true},

    {.what = "a GAP at the end, with its record",
     .tail = TAIL_GAP,
     .gap_gaps = 1,
     .record_gaps = 1,
     .record_gap_sequence = 7,
     .record_end = 9000,
     .confirmed = 9000,
     .commit = RECORD_COMMIT,
     .start = 9000,
     .end = 9000},
    {.what = "a GAP that the record does not know: positions go back",
     .tail = TAIL_GAP,
     .gap_gaps = 1,
     .last_sequence = 8,
     .confirmed = 300,
     .commit = 0,
     .start = 300,
     .end = 300},
    {.what = "a GAP that the record does not know, at a sequence before the record's",
     .tail = TAIL_GAP,
     .gap_gaps = 3,
     .record_gaps = 2,
     .last_sequence = 5,
     .confirmed = 300,
     .commit = 0,
     .start = 300,
     .end = 300},
    {.what = "a GAP that the record does not know, of another cluster, is settled",
     .tail = TAIL_GAP,
     .gap_gaps = 1,
     .last_sequence = 8,
     .confirmed = 300,
     .system = 43,
     .commit = 0,
     .start = 300,
     .end = 300},
    {.what = "a GAP without a record",
     .tail = TAIL_GAP,
     .gap_gaps = 1,
     .last_sequence = 8,
     .no_record = true,
     .confirmed = 300,
     .commit = 0,
     .start = 300,
     .end = 300},
    {.what = "a slot moved on behind a GAP",
     .tail = TAIL_GAP,
     .gap_gaps = 1,
     .last_sequence = 8,
     .confirmed = 301,
     .reason = CDC_GAP_SLOT_AHEAD},
    {.what = "back to an older GAP",
     .tail = TAIL_GAP,
     .gap_gaps = 1,
     .record_gaps = 1,
     .record_gap_sequence = 5,
     .last_sequence = 5,
     .confirmed = 300,
     .reason = CDC_GAP_REPLAYED,
     .new_epoch = true,
     .commit = 0,
     .start = 300,
     .end = 300},
};

static core_lsn or_else(core_lsn value, core_lsn initial) {
    return value != 0 ? value : initial;
}

typedef struct {
    core_run tail;
    cdc_position gap;
    cdc_position record;
    cdc_start_facts facts;
} scene;

static void stream_make(const start_case *c, scene *s) {
    core_lsn commit = or_else(c->tail_commit, RECORD_COMMIT);
    uint64_t last_sequence = or_else(c->last_sequence, RECORD_SEQUENCE);
    s->record = (cdc_position){.epoch = "record",
                               .sequence = RECORD_SEQUENCE,
                               .commit_lsn = RECORD_COMMIT,
                               .index = 3,
                               .complete = true,
                               .end_lsn = or_else(c->record_end, RECORD_END),
                               .system_id = SYSTEM,
                               .timeline = 1,
                               .stream_created_us = CREATED,
                               .gaps = c->record_gaps,
                               .gap_sequence = c->record_gap_sequence,
                               .publication_oids = {777, 0}};
    s->tail = (core_run){
        .epoch = "tail",
        .op = CORE_OP_INSERT,
        .last_transaction = {.xid = 9, .commit_lsn = commit, .end_lsn = c->cut ? 0 : commit + 50},
        .last_index = 3,
        .last_complete = !c->cut};
    s->gap = s->record;
    s->gap.sequence = s->gap.gap_sequence = last_sequence;
    s->gap.gaps = c->gap_gaps;
    s->gap.commit_lsn = s->gap.index = 0;
    s->gap.end_lsn = 300;
    s->gap.system_id = or_else(c->system, SYSTEM);
    s->facts.tail = c->tail == TAIL_RUN ? &s->tail : NULL;
    s->facts.tail_gap = c->tail == TAIL_GAP ? &s->gap : NULL;
    s->facts.last_sequence = last_sequence;
    s->facts.tail_sequence = or_else(c->tail_sequence, last_sequence);
    s->facts.first_missing = c->first_missing;
    s->facts.record = c->no_record ? NULL : &s->record;
    s->facts.record_is_older = !c->record_is_new;
    s->facts.acked_sequence = c->acked;
    s->facts.stream_created_us = (int64_t)or_else((uint64_t)c->created, CREATED);
}

static void scene_make(const start_case *c, scene *s) {
    *s = (scene){.facts = {.slot = "walcast", .stream = "WALCAST", .fresh_epoch = "fresh"}};
    stream_make(c, s);
    s->facts.system_id = or_else(c->system, SYSTEM);
    s->facts.timeline = c->timeline != 0 ? c->timeline : 1;
    s->facts.fork_lsn = c->fork;
    s->facts.wal_lsn = or_else(c->wal, WAL);
    s->facts.slot_state = (cdc_slot_state){.exists = !c->slot_missing,
                                           .lost = c->slot_lost,
                                           .lost_reason = "the server gave it up",
                                           .confirmed_lsn = or_else(c->confirmed, CONFIRMED)};
    s->facts.confirmed_before_lsn =
        c->before == 1 ? 0 : or_else(c->before, s->facts.slot_state.confirmed_lsn);
    s->facts.publication.made = c->publication_made;
    s->facts.publication.oids[0] = c->publication_oid != 0 ? c->publication_oid : 777;
}

static void going_on_check(const start_case *c, const cdc_start *start) {
    assert_true(start->position.commit_lsn == c->commit);
    assert_true(start->start_lsn == c->start);
    assert_true(start->position.end_lsn == c->end);
}

static void case_check(const start_case *c) {
    scene s;
    cdc_start start;
    core_error error = {0};
    scene_make(c, &s);
    bool ok = cdc_start_decide(&s.facts, &start, &error);
    assert_int_equal(ok, !c->look_again);
    if (!ok) {
        assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
        return;
    }
    assert_string_equal(cdc_gap_reason_name(start.gap.reason), cdc_gap_reason_name(c->reason));
    assert_int_equal(start.new_epoch, c->new_epoch);
    assert_int_equal(start.gap.text[0] != '\0', c->reason != CDC_GAP_NONE);
    if (c->reason == CDC_GAP_NONE || c->reason == CDC_GAP_REPLAYED)
        going_on_check(c, &start);
}

static void each_state_is_decided(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        print_message("  %s\n", cases[i].what);
        case_check(&cases[i]);
    }
}

static const start_case *case_of(cdc_gap_reason reason) {
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        if (cases[i].reason == reason)
            return &cases[i];
    return NULL;
}

/* Every reason has a case, names slot or stream, and is behind us once its event is stored: the
 * next start, whether it finds the record or only the event, goes on there without another. */
static void each_gap_is_settled_by_its_event(void **state) {
    (void)state;
    for (cdc_gap_reason reason = CDC_GAP_NONE + 1; reason < CDC_GAP_REASONS; reason++) {
        const start_case *c = case_of(reason);
        assert_non_null(c);
        scene s;
        cdc_start start, again;
        core_error error = {0};
        scene_make(c, &s);
        assert_true(cdc_start_decide(&s.facts, &start, &error));
        assert_true(strstr(start.gap.text, "WALCAST") != NULL ||
                    strstr(start.gap.text, "\"walcast\"") != NULL);
        s.facts.slot_state = (cdc_slot_state){.exists = true, .confirmed_lsn = 700};
        if (reason != CDC_GAP_REPLAYED)
            cdc_start_resume(&s.facts, &start);
        cdc_start_gap_stored(&start, s.facts.last_sequence + 1);
        cdc_position after = start.position;
        s.facts.tail = NULL;
        s.facts.tail_gap = &after;
        s.facts.last_sequence = s.facts.tail_sequence = after.sequence;
        s.facts.acked_sequence = s.facts.first_missing = 0;
        s.facts.publication.made = false;
        s.facts.slot_state.confirmed_lsn = after.end_lsn;
        assert_true(cdc_start_decide(&s.facts, &again, &error));
        assert_string_equal(cdc_gap_reason_name(again.gap.reason), "none");
        assert_string_equal(again.position.epoch, after.epoch);
        assert_true(again.position.commit_lsn == after.commit_lsn);
        assert_true(again.position.gaps == after.gaps);
        assert_true(again.position.gap_sequence == after.sequence);
        s.facts.record = &after; /* and now the record is stored too */
        assert_true(cdc_start_decide(&s.facts, &again, &error));
        assert_string_equal(cdc_gap_reason_name(again.gap.reason), "none");
    }
}

/* What is skipped behind a gap is nothing: its positions may be lower than those before. */
static void behind_a_gap_nothing_is_skipped(void **state) {
    (void)state;
    scene s;
    cdc_start start;
    core_error error = {0};
    scene_make(case_of(CDC_GAP_OTHER_CLUSTER), &s);
    assert_true(cdc_start_decide(&s.facts, &start, &error));
    s.facts.slot_state.confirmed_lsn = 200;
    cdc_start_resume(&s.facts, &start);
    assert_int_equal(start.position.commit_lsn, 0);
    assert_true(start.position.complete);
    assert_int_equal(start.position.end_lsn, 200);
    assert_int_equal(start.position.system_id, 43);
    assert_string_equal(start.position.epoch, "fresh");
    assert_int_equal(start.gap.to_lsn, 200);
    assert_int_equal(start.gap.from_lsn, RECORD_END);
    assert_int_equal(start.gap.old_system_id, SYSTEM);
}

/* A PREPARE between them, whose rows are not stored, must come again. */
static void two_phases_start_where_the_slot_is_confirmed(void **state) {
    (void)state;
    scene s;
    cdc_start start;
    core_error error = {0};
    scene_make(&cases[2], &s);
    s.facts.slot_state.two_phase = true;
    assert_true(cdc_start_decide(&s.facts, &start, &error));
    assert_int_equal(start.start_lsn, 0);
    assert_int_equal(start.shown_lsn, CONFIRMED);
    assert_int_equal(start.position.end_lsn, CONFIRMED);
    assert_int_equal(start.position.commit_lsn, 2000); /* still skipped up to here */
    s.facts.slot_state.confirmed_lsn = s.facts.confirmed_before_lsn = 2051;
    assert_true(cdc_start_decide(&s.facts, &start, &error));
    assert_int_equal(start.gap.reason, CDC_GAP_SLOT_AHEAD);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_is_decided),
        cmocka_unit_test(each_gap_is_settled_by_its_event),
        cmocka_unit_test(behind_a_gap_nothing_is_skipped),
        cmocka_unit_test(two_phases_start_where_the_slot_is_confirmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
