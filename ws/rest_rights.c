/* See rest_rights.h. */
#include "ws/rest_rights.h"

#include <stdio.h>
#include <stdlib.h>

static ws_rest_topic *rights_find(const ws_rest_rights *rights, core_slice topic) {
    for (size_t i = 0; i < rights->count; i++)
        if (core_slice_equal(rights->topics[i].topic, topic))
            return &rights->topics[i];
    return NULL;
}

/* False: there are too many. */
static bool rights_note(ws_rest_rights *rights, core_slice topic) {
    ws_rest_topic *known = rights_find(rights, topic);
    if (known == NULL && rights->count == WS_REST_TOPICS_MAX)
        return false;
    if (known == NULL) {
        known = &rights->topics[rights->count++];
        *known = (ws_rest_topic){.rights = rights, .topic = topic};
    }
    known->messages++;
    return true;
}

bool ws_rest_rights_init(ws_rest_rights *rights, const ws_rest_request *request, bool *room) {
    *room = true;
    for (size_t i = 0; i < request->count && *room; i++) {
        if (!request->messages[i]->private_channel)
            continue;
        if (rights->topics == NULL)
            rights->topics = calloc(WS_REST_TOPICS_MAX, sizeof *rights->topics);
        if (rights->topics == NULL)
            return false;
        *room = rights_note(rights, request->messages[i]->topic);
    }
    return true;
}

static void topic_take(ws_rest_topic *topic, const auth_channel_rights *answer) {
    topic->unavailable = answer->unavailable;
    topic->allowed = !answer->unavailable && answer->allowed[AUTH_BROADCAST_WRITE];
    (void)snprintf(topic->reason, sizeof topic->reason, "%s",
                   answer->reasons[AUTH_BROADCAST_WRITE]);
}

/* One is awaited less. True: it was the last. */
static bool rights_count_down(ws_rest_rights *rights) {
    return atomic_fetch_sub(&rights->awaited, 1) == 1;
}

static void topic_answered(void *context, const auth_channel_rights *answer) {
    ws_rest_topic *topic = context;
    topic_take(topic, answer);
    if (rights_count_down(topic->rights))
        topic->rights->decided(topic->rights);
}

bool ws_rest_rights_ask(ws_rest_rights *rights, auth_access *access, const ws_identity *identity) {
    atomic_store(&rights->awaited, 1); /* this call, so that no answer is the last before it ends */
    for (size_t i = 0; i < rights->count; i++) {
        ws_rest_topic *topic = &rights->topics[i];
        const auth_channel_question question = {
            .role = identity->claims.role,
            .subject = identity->claims.subject,
            .claims_json = identity->claims_json,
            .claims_hash = identity->claims.claims_hash,
            .topic = ws_protocol_topic(topic->topic),
        };
        auth_channel_rights answer;
        (void)atomic_fetch_add(&rights->awaited, 1);
        if (!auth_channel_check(access, &question, &answer, topic_answered, topic))
            continue;
        topic_take(topic, &answer);
        (void)rights_count_down(rights);
    }
    return rights_count_down(rights);
}

const ws_rest_topic *ws_rest_rights_of(const ws_rest_rights *rights,
                                       const ws_broadcast *broadcast) {
    return broadcast->private_channel ? rights_find(rights, broadcast->topic) : NULL;
}

void ws_rest_rights_fini(ws_rest_rights *rights) {
    assert(atomic_load(&rights->awaited) == 0);
    free(rights->topics);
    rights->topics = NULL;
}
