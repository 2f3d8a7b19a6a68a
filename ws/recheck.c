/* See recheck.h. Asked for during a walk, another follows it: so however often it is asked, each
 * walk comes to its end. */
#include "ws/recheck.h"

#include "ws/post.h"
#include "ws/server.h"

#include <stdlib.h>

#define RECHECK_MAGIC 0x4ec4ec00u

struct ws_recheck {
    uint32_t magic;
    ws_service *service;
    ws_post post;
    atomic_bool posted;  /* the post is on its way */
    atomic_bool asked;   /* since the walk under way began */
    ws_connection *next; /* of the walk; NULL: none is under way */
};

static void recheck_post(ws_recheck *recheck) {
    if (!atomic_exchange(&recheck->posted, true))
        ws_post_send(recheck->service, &recheck->post);
}

static void recheck_step(ws_recheck *recheck) {
    for (size_t looks = 0; looks < WS_RECHECKS_A_TURN && recheck->next != NULL; looks++) {
        ws_connection *connection = recheck->next;
        recheck->next = connection->next; /* first: it may go */
        if (connection->handler->on_recheck != NULL && ws_connection_open(connection))
            looks += connection->handler->on_recheck(connection);
    }
}

static void recheck_run(ws_post *post, ws_service *service) {
    ws_recheck *recheck = (ws_recheck *)(void *)((char *)post - offsetof(ws_recheck, post));
    CORE_MAGIC_CHECK(recheck, RECHECK_MAGIC);
    atomic_store(&recheck->posted, false);
    if (recheck->next == NULL && atomic_exchange(&recheck->asked, false))
        recheck->next = service->connections;
    recheck_step(recheck);
    if (recheck->next != NULL || atomic_load(&recheck->asked))
        recheck_post(recheck);
}

bool ws_recheck_new(ws_service *service) {
    ws_recheck *recheck = calloc(1, sizeof *recheck);
    if (recheck == NULL)
        return false;
    recheck->magic = RECHECK_MAGIC;
    recheck->service = service;
    recheck->post.run = recheck_run;
    service->recheck = recheck;
    return true;
}

void ws_recheck_free(ws_service *service) {
    ws_recheck *recheck = service->recheck;
    if (recheck == NULL)
        return;
    assert(!atomic_load(&recheck->posted));
    recheck->magic = 0;
    free(recheck);
    service->recheck = NULL;
}

void ws_recheck_ask(ws_service *service) {
    atomic_store(&service->recheck->asked, true);
    recheck_post(service->recheck);
}

const char *ws_recheck_why(const ws_service *service, const ws_identity *identity) {
    auth_verdict verdict =
        auth_verifier_recheck(ws_server_verifier(service->server), &identity->claims);
    return verdict == AUTH_OK || verdict == AUTH_UNAVAILABLE ? NULL : auth_verdict_text(verdict);
}

void ws_recheck_forget(ws_service *service, const ws_connection *connection) {
    if (service->recheck != NULL && service->recheck->next == connection)
        service->recheck->next = connection->next;
}
