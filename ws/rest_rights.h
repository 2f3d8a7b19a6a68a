/* Who may say what in the private topics of one request: each is asked of the policies once, all
 * side by side, and the last answer tells that all are there.
 *
 * Answers come on the database's threads, each into its own topic; nobody reads them before the
 * count of those that are awaited is down. */
#ifndef WALCAST_WS_REST_RIGHTS_H
#define WALCAST_WS_REST_RIGHTS_H

#include "ws/identity.h"
#include "ws/rest_request.h"

#define WS_REST_TOPICS_MAX 100 /* private ones of one request */

typedef struct ws_rest_rights ws_rest_rights;

typedef struct {
    ws_rest_rights *rights;
    core_slice topic; /* of a message of the request, which must stay */
    size_t messages;  /* of the request, to it */
    bool allowed;
    bool unavailable;             /* it could not be asked */
    char reason[AUTH_REASON_MAX]; /* why it is not allowed */
} ws_rest_topic;

struct ws_rest_rights {
    ws_rest_topic *topics; /* NULL: none is private */
    size_t count;
    atomic_size_t awaited; /* answers; any thread */
    void (*decided)(ws_rest_rights *rights);
};

/* Finds the topics. `*room` false: there are more than WS_REST_TOPICS_MAX. False: memory is out. */
CORE_MUST_CHECK bool ws_rest_rights_init(ws_rest_rights *rights, const ws_rest_request *request,
                                         bool *room);
/* True: all is decided. False: `decided` is called once it is, from any thread. */
CORE_MUST_CHECK bool ws_rest_rights_ask(ws_rest_rights *rights, auth_access *access,
                                        const ws_identity *identity);
/* The broadcast's topic; NULL: it is public. */
const ws_rest_topic *ws_rest_rights_of(const ws_rest_rights *rights, const ws_broadcast *broadcast);
/* All must be decided, or nothing asked. */
void ws_rest_rights_fini(ws_rest_rights *rights);

#endif
