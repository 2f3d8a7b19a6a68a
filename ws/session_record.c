/* The audit records of joins: one each, when it is answered; see session_private.h. */
#include "ws/session_private.h"

int64_t session_now_ns(const ws_session *session) {
    const core_clock *clock = session_service(session)->clock;
    return clock->monotonic_ns(clock);
}

/* The code of "Code: message"; a reason without one is its own. */
static core_slice record_outcome(const char *reason) {
    const char *colon = strstr(reason, ": ");
    return colon != NULL ? core_slice_make(reason, (size_t)(colon - reason))
                         : core_slice_text(reason);
}

void session_join_record(const ws_session *session, const ws_identity *identity, int64_t asked_ns,
                         const char *reason) {
    const auth_request request = {
        .join = true,
        .refused = reason != NULL,
        .id = core_slice_text(session->request_id),
        .claims = &(identity != NULL ? identity : session->identity)->claims,
        .route = "join",
        .outcome = reason != NULL ? record_outcome(reason) : core_slice_text("ok"),
        .client = ws_socket_connection(session->socket)->client,
        .took_ns = session_now_ns(session) - asked_ns,
    };
    auth_audit_request(session_service(session)->audit, &request);
}

void session_channel_record(ws_channel *channel, const char *reason) {
    if (channel->asked_ns == 0)
        return;
    session_join_record(channel->session, channel->identity, channel->asked_ns, reason);
    channel->asked_ns = 0;
}
