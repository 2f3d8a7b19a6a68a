/* See quota.h. */
#include "auth/quota.h"

/* ---- Words ---- */

static uint64_t word_make(uint64_t window, uint64_t count) {
    return window << 32 | (count < UINT32_MAX ? count : UINT32_MAX);
}

static uint64_t word_window(uint64_t word) {
    return word >> 32;
}

static int64_t word_count(const auth_quota_word *word, uint64_t window) {
    uint64_t value = atomic_load_explicit(word, memory_order_relaxed);
    return word_window(value) == (window & UINT32_MAX) ? (int64_t)(value & UINT32_MAX) : 0;
}

/* ---- A moment ---- */

/* What is known of a quota at one time. */
typedef struct {
    uint64_t window;
    int64_t elapsed_ms; /* of it */
    int64_t own;        /* admitted in it here */
    int64_t all;        /* in it everywhere, with the others' claims */
    int64_t before;     /* in the window before it everywhere */
    int64_t left;       /* may be below 0 */
} quota_moment;

/* What of the window before still counts, rounded up. */
static int64_t carried(int64_t before, int64_t elapsed_ms, int64_t window_ms) {
    return (before * (window_ms - elapsed_ms) + window_ms - 1) / window_ms;
}

static quota_moment moment_of(const auth_quota *quota, const auth_quota_rule *rule,
                              int64_t wall_ms) {
    uint64_t window = (uint64_t)(wall_ms / rule->window_ms);
    quota_moment now = {.window = window, .elapsed_ms = wall_ms % rule->window_ms};
    now.own = word_count(&quota->own[window & 1], window);
    now.all = now.own + word_count(&quota->others[window & 1], window);
    now.before = word_count(&quota->own[(window - 1) & 1], window - 1) +
                 word_count(&quota->others[(window - 1) & 1], window - 1);
    now.left = rule->limit - now.all - carried(now.before, now.elapsed_ms, rule->window_ms);
    return now;
}

/* This node's part of what is left. */
static int64_t moment_share(const quota_moment *now, const auth_quota_rule *rule) {
    return now->left > 0 ? (now->left + rule->nodes - 1) / rule->nodes : 0;
}

/* How long until `need` are left, if nothing more is admitted; NEVER when they never are. */
static int64_t moment_wait(const quota_moment *now, const auth_quota_rule *rule, int64_t need) {
    int64_t window_ms = rule->window_ms, room = rule->limit - need;
    if (room < 0)
        return AUTH_QUOTA_NEVER;
    if (now->all <= room) {
        int64_t at_ms =
            now->before > 0 ? window_ms - (room - now->all) * window_ms / now->before : 0;
        return at_ms > now->elapsed_ms ? at_ms - now->elapsed_ms : 0;
    }
    /* This window's count becomes the one before, and must fade. */
    return window_ms - now->elapsed_ms + window_ms - room * window_ms / now->all;
}

/* So many must be left for a share to hold `count`. */
static int64_t share_need(const auth_quota_rule *rule, uint32_t count) {
    return ((int64_t)count - 1) * rule->nodes + 1;
}

static auth_quota_answer quota_refusal(const quota_moment *now, const auth_quota_rule *rule,
                                       uint32_t count) {
    int64_t wait_ms = moment_wait(now, rule, share_need(rule, count));
    if (wait_ms == AUTH_QUOTA_NEVER)
        return (auth_quota_answer){.wait_ms = AUTH_QUOTA_NEVER};
    /* Behind it a look must come, and perhaps another node's before. */
    return (auth_quota_answer){.wait_ms = wait_ms + (rule->nodes > 1 ? 2 * rule->look_ms : 1)};
}

/* ---- Taking ---- */

/* How far own may go now; takes a share where there is no grant of this window. */
static int64_t quota_cap(auth_quota *quota, const auth_quota_rule *rule, const quota_moment *now,
                         bool *decided) {
    uint64_t grant = atomic_load_explicit(&quota->grant, memory_order_relaxed);
    while (word_window(grant) != (now->window & UINT32_MAX)) {
        uint64_t taken = word_make(now->window, (uint64_t)(now->own + moment_share(now, rule)));
        if (atomic_compare_exchange_weak_explicit(&quota->grant, &grant, taken,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            *decided = true;
            grant = taken;
        }
    }
    return (int64_t)(grant & UINT32_MAX);
}

auth_quota_answer auth_quota_take(auth_quota *quota, const auth_quota_rule *rule, int64_t wall_ms,
                                  uint32_t count) {
    quota_moment now = moment_of(quota, rule, wall_ms);
    auth_quota_answer answer = {.wait_ms = 0};
    auth_quota_word *word = &quota->own[now.window & 1];
    atomic_fetch_add_explicit(&quota->asked, count, memory_order_relaxed);
    for (;;) {
        int64_t cap = rule->nodes > 1 ? quota_cap(quota, rule, &now, &answer.decided) : INT64_MAX;
        if (now.left < (int64_t)count || now.own + (int64_t)count > cap) {
            bool decided = answer.decided;
            answer = quota_refusal(&now, rule, count);
            answer.decided = decided;
            return answer;
        }
        uint64_t before = atomic_load_explicit(word, memory_order_relaxed);
        bool same = word_window(before) == (now.window & UINT32_MAX);
        if ((same ? (int64_t)(before & UINT32_MAX) : 0) == now.own &&
            atomic_compare_exchange_weak_explicit(
                word, &before, word_make(now.window, (uint64_t)(now.own + count)),
                memory_order_relaxed, memory_order_relaxed))
            return answer;
        now = moment_of(quota, rule, wall_ms); /* another thread was first */
    }
}

/* ---- Looking ---- */

void auth_quota_learn(auth_quota *quota, const auth_quota_rule *rule, int64_t wall_ms,
                      uint64_t claims, uint64_t before) {
    uint64_t window = (uint64_t)(wall_ms / rule->window_ms);
    atomic_store_explicit(&quota->others[window & 1], word_make(window, claims),
                          memory_order_relaxed);
    atomic_store_explicit(&quota->others[(window - 1) & 1], word_make(window - 1, before),
                          memory_order_relaxed);
}

bool auth_quota_look(auth_quota *quota, const auth_quota_rule *rule, int64_t wall_ms) {
    quota_moment now = moment_of(quota, rule, wall_ms);
    uint64_t grant = atomic_load_explicit(&quota->grant, memory_order_relaxed);
    uint32_t asked = atomic_exchange_explicit(&quota->asked, 0, memory_order_relaxed);
    if (asked == 0) { /* a share that is taken right now stays */
        (void)atomic_compare_exchange_strong_explicit(&quota->grant, &grant, 0,
                                                      memory_order_relaxed, memory_order_relaxed);
        return false;
    }
    atomic_store_explicit(&quota->grant,
                          word_make(now.window, (uint64_t)(now.own + moment_share(&now, rule))),
                          memory_order_relaxed);
    return true;
}

auth_quota_claim auth_quota_tell(const auth_quota *quota, const auth_quota_rule *rule,
                                 int64_t wall_ms) {
    uint64_t window = (uint64_t)(wall_ms / rule->window_ms);
    int64_t own = word_count(&quota->own[window & 1], window);
    int64_t grant = word_count(&quota->grant, window);
    return (auth_quota_claim){
        .window = window,
        .claim = (uint32_t)(grant > own ? grant : own),
        .before = (uint32_t)word_count(&quota->own[(window - 1) & 1], window - 1),
    };
}
