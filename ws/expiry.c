/* See expiry.h. */
#include "ws/expiry.h"

ws_expiry ws_expiry_make(int64_t expires_s) {
    bool never = expires_s >= INT64_MAX / CORE_MS_PER_S;
    return (ws_expiry){.expires_ms = never            ? INT64_MAX
                                     : expires_s <= 0 ? 0
                                                      : expires_s * CORE_MS_PER_S};
}

bool ws_expiry_over(const ws_expiry *expiry, int64_t wall_ms) {
    return expiry->suspended || expiry->expires_ms <= wall_ms;
}

static bool expiry_warns(const ws_expiry *expiry, const ws_expiry_rule *rule) {
    return rule->warning_ms > 0 && !expiry->warned && expiry->expires_ms < INT64_MAX;
}

/* Of the wall clock. */
static int64_t expiry_warning_ms(const ws_expiry *expiry, const ws_expiry_rule *rule) {
    return expiry->expires_ms - rule->warning_ms;
}

ws_expiry_step ws_expiry_look(ws_expiry *expiry, const ws_expiry_rule *rule, int64_t now_ms,
                              int64_t wall_ms) {
    if (expiry->suspended)
        return expiry->ends_ms <= now_ms ? WS_EXPIRY_CLOSE : WS_EXPIRY_NOTHING;
    if (ws_expiry_over(expiry, wall_ms)) {
        if (rule->grace_ms == 0)
            return WS_EXPIRY_CLOSE;
        expiry->suspended = true;
        expiry->ends_ms = now_ms + rule->grace_ms;
        return WS_EXPIRY_SUSPEND;
    }
    if (!expiry_warns(expiry, rule) || expiry_warning_ms(expiry, rule) > wall_ms)
        return WS_EXPIRY_NOTHING;
    expiry->warned = true;
    return WS_EXPIRY_WARN;
}

int64_t ws_expiry_next_ms(const ws_expiry *expiry, const ws_expiry_rule *rule, int64_t now_ms,
                          int64_t wall_ms) {
    if (expiry->suspended)
        return expiry->ends_ms > now_ms ? expiry->ends_ms : now_ms;
    if (expiry->expires_ms == INT64_MAX)
        return INT64_MAX;
    int64_t at_ms =
        expiry_warns(expiry, rule) ? expiry_warning_ms(expiry, rule) : expiry->expires_ms;
    int64_t left_ms = at_ms > wall_ms ? at_ms - wall_ms : 0;
    return left_ms < INT64_MAX - now_ms ? now_ms + left_ms : INT64_MAX;
}

int64_t ws_expiry_left_s(const ws_expiry *expiry, int64_t wall_ms) {
    return ws_expiry_over(expiry, wall_ms) ? 0 : (expiry->expires_ms - wall_ms) / CORE_MS_PER_S;
}
