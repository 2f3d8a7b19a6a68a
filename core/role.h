/* A role: one of the parts that a process hosts (`--roles cdc,ws`), as main.c sees it.
 *
 * Each upper room makes one and main.c starts, asks and stops them through it; so rooms need not
 * know one another and health comes from one place. */
#ifndef WALCAST_CORE_ROLE_H
#define WALCAST_CORE_ROLE_H

#include "core/error.h"

/* How a role stands, worst first: of several roles the worst counts. */
typedef enum {
    CORE_READY_NO,      /* does not do its work; the reason says why not and what is tried */
    CORE_READY_WARNING, /* does its work, but somebody should look; the reason says at what */
    CORE_READY_STANDBY, /* ready to take over from another process */
    CORE_READY_YES,
} core_readiness;

typedef struct core_role core_role;
struct core_role {
    const char *name;
    /* Starts the role's threads. Peers that are away are not an error: the role retries. */
    bool (*start)(core_role *role, core_error *error);
    /* `reason` comes empty and gets one line with NO and WARNING. Any thread; never blocks. */
    core_readiness (*ready)(core_role *role, char *reason, size_t reason_size);
    /* Begins the drain: finish what is under way, take nothing new. Returns at once. */
    void (*drain)(core_role *role);
    /* True once the drain is over. */
    bool (*drained)(core_role *role);
    /* Stops threads, frees everything. Works in every state. */
    void (*stop)(core_role *role);
};

#endif
