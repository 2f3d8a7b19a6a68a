/* What a client makes of presence messages: a list of metas, joins put in and leaves taken out as
 * Phoenix's client does it. More is demanded than it does: a join must be new, a leave must be of
 * one that is there. Payloads are {"v":N}. */
#ifndef WALCAST_TESTS_UNIT_WS_PRESENCE_VIEW_H
#define WALCAST_TESTS_UNIT_WS_PRESENCE_VIEW_H

#include "ws/presence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VIEW_METAS_MAX = 4096, VIEW_NAME_MAX = 32 };

typedef struct {
    char topic[VIEW_NAME_MAX];
    char key[VIEW_NAME_MAX];
    char ref[VIEW_NAME_MAX];
    uint64_t value;
} view_meta;

typedef struct {
    view_meta metas[VIEW_METAS_MAX];
    size_t count;
    uint64_t joined, left; /* in all */
} presence_view;

typedef void (*view_meta_handler)(presence_view *view, const view_meta *meta);

static inline bool view_same(const view_meta *a, const view_meta *b) {
    return strcmp(a->topic, b->topic) == 0 && strcmp(a->key, b->key) == 0 &&
           strcmp(a->ref, b->ref) == 0;
}

static inline size_t view_find(const presence_view *view, const view_meta *meta) {
    size_t at = 0;
    while (at < view->count && !view_same(&view->metas[at], meta))
        at++;
    return at;
}

static inline void view_join(presence_view *view, const view_meta *meta) {
    if (view_find(view, meta) < view->count)
        fail_msg("%s/%s/%s joins twice", meta->topic, meta->key, meta->ref);
    assert_true(view->count < VIEW_METAS_MAX);
    view->metas[view->count++] = *meta;
    view->joined++;
}

static inline void view_leave(presence_view *view, const view_meta *meta) {
    size_t at = view_find(view, meta);
    if (at == view->count)
        fail_msg("%s/%s/%s leaves and is not there", meta->topic, meta->key, meta->ref);
    assert_true(view->metas[at].value == meta->value);
    view->metas[at] = view->metas[--view->count];
    view->left++;
}

static inline void view_text(core_slice raw, char text[VIEW_NAME_MAX]) {
    assert_true(core_slice_to_text(raw, text, VIEW_NAME_MAX));
}

static inline void view_meta_read(core_json_reader *reader, view_meta *meta) {
    core_json_token member;
    core_slice whole;
    meta->ref[0] = '\0';
    meta->value = 0;
    while (core_json_member_next(reader, &member)) {
        if (core_json_raw_is(member.key, "phx_ref"))
            view_text(member.raw, meta->ref);
        else if (core_json_raw_is(member.key, "v"))
            assert_true(core_slice_to_u64(member.raw, &meta->value));
        else
            assert_true(core_json_skip(reader, member, &whole));
    }
    assert_int_equal(strlen(meta->ref), 16);
}

/* {"KEY":{"metas":[...]},...} */
static inline void view_read(presence_view *view, core_slice topic, core_slice json,
                             view_meta_handler take) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token key, metas, meta;
    view_meta read = {.topic = ""};
    assert_true(core_json_valid(json));
    view_text(topic, read.topic);
    assert_int_equal(core_json_next(&reader).kind, CORE_JSON_OBJECT_OPEN);
    while (core_json_member_next(&reader, &key)) {
        assert_int_equal(key.kind, CORE_JSON_OBJECT_OPEN);
        view_text(key.key, read.key);
        assert_true(core_json_member_next(&reader, &metas));
        assert_true(core_json_raw_is(metas.key, "metas"));
        assert_int_equal(metas.kind, CORE_JSON_ARRAY_OPEN);
        size_t count = 0;
        for (; (meta = core_json_next(&reader)).kind == CORE_JSON_OBJECT_OPEN; count++) {
            view_meta_read(&reader, &read);
            take(view, &read);
        }
        assert_int_equal(meta.kind, CORE_JSON_ARRAY_CLOSE);
        assert_true(count > 0);
        assert_false(core_json_member_next(&reader, &metas));
    }
    assert_int_equal(core_json_next(&reader).kind, CORE_JSON_END);
}

static inline void view_diff(presence_view *view, core_slice topic, core_slice joins,
                             core_slice leaves) {
    view_read(view, topic, joins, view_join);
    view_read(view, topic, leaves, view_leave);
}

static inline size_t view_topic_count(const presence_view *view, const char *topic) {
    size_t count = 0;
    for (size_t i = 0; i < view->count; i++)
        count += strcmp(view->metas[i].topic, topic) == 0;
    return count;
}

/* A new client's view of the topic is the one of those who followed it. */
static inline void view_check_state(const presence_view *view, const ws_presence *presence,
                                    const char *topic) {
    static presence_view fresh;
    core_buffer state;
    fresh.count = 0;
    core_buffer_init(&state, (size_t)1 << 20);
    assert_true(
        ws_presence_state(presence, (ws_presence_room){core_slice_text(topic), false}, &state));
    view_read(&fresh, core_slice_text(topic), core_buffer_slice(&state), view_join);
    assert_int_equal(fresh.count, view_topic_count(view, topic));
    for (size_t i = 0; i < fresh.count; i++) {
        size_t at = view_find(view, &fresh.metas[i]);
        assert_true(at < view->count && view->metas[at].value == fresh.metas[i].value);
    }
    core_buffer_fini(&state);
}

#endif
