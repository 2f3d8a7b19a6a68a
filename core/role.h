/* A role: one of the parts that a process hosts (`--roles cdc,ws`), as main.c sees it.
 *
 * Each upper room makes one and main.c starts, asks and stops them through it; so rooms need not
 * know one another and health comes from one place. */
#ifndef WALCAST_CORE_ROLE_H
#define WALCAST_CORE_ROLE_H

#include "core/error.h"

typedef struct core_role core_role;
struct core_role {
    const char *name;
    /* Starts the role's threads. Peers that are away are not an error: the role retries. */
    bool (*start)(core_role *role, core_error *error);
    /* True when the role does its work now: `reason` stays empty, or gets the one word "standby"
     * when it is ready to take over from another process. Otherwise false and one line (why not,
     * what is being tried). `reason` comes empty. Any thread. */
    bool (*ready)(core_role *role, char *reason, size_t reason_size);
    /* Begins the drain: finish what is under way, take nothing new. Returns at once. */
    void (*drain)(core_role *role);
    /* True once the drain is over. */
    bool (*drained)(core_role *role);
    /* Stops threads, frees everything. Works in every state. */
    void (*stop)(core_role *role);
};

#endif
