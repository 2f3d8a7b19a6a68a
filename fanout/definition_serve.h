/* Definitions over REST: list, get, create, replace, delete, with ETags and If-Match. Part of
 * fanout's public header. The room whose definitions they are takes the request apart, and says by
 * a manner what is particular to them. Each call answers; all block. */
#ifndef WALCAST_FANOUT_DEFINITION_SERVE_H
#define WALCAST_FANOUT_DEFINITION_SERVE_H

#include "fanout/definition.h"

typedef struct fanout_definition_call fanout_definition_call;

/* Static; sees and expects may be NULL. */
typedef struct {
    const char *missing; /* "there is no trigger of that name" */
    const char *several; /* the list's member: "triggers" */
    /* Whether it is there for who asks. */
    bool (*sees)(const fanout_definition_call *call, const fanout_definition *stored);
    /* What else must hold of a body: is told to `problems`. False: it answered. */
    bool (*expects)(const fanout_definition_call *call, const core_document *document,
                    const void *definition, core_problems *problems);
    /* It was created, changed or removed (`definition` is NULL then): to be recorded. */
    void (*done)(const fanout_definition_call *call, fanout_outcome outcome,
                 const void *definition);
} fanout_definition_manner;

/* One request, taken apart. */
struct fanout_definition_call {
    fanout_definitions *store;
    fanout_definition_check check;
    const fanout_definition_manner *manner;
    core_route_reply *reply;
    void *context;                             /* the manner's */
    char project[FANOUT_PROJECT_MAX];          /* the caller's */
    char name[FANOUT_DEFINITION_NAME_MAX + 1]; /* "": the address names none */
    uint64_t expected;                         /* by If-Match */
};

/* The name that the address has, and If-Match. False: answered. */
CORE_MUST_CHECK bool fanout_definition_call_begin(fanout_definition_call *call, core_slice name);
/* What failed, with the status of its class. */
void fanout_definition_fail(const fanout_definition_call *call, const core_error *error);
void fanout_definition_missing(const fanout_definition_call *call);
/* As it is stored now; its slices live until the store's next call. False: answered. */
CORE_MUST_CHECK bool fanout_definition_find(const fanout_definition_call *call,
                                            fanout_definition *stored, uint64_t *revision);
/* Answers with it as it is stored now. `warnings` may be NULL. */
void fanout_definition_show(const fanout_definition_call *call, unsigned status,
                            const core_problems *warnings);

void fanout_definition_serve_list(fanout_definition_call *call);
void fanout_definition_serve_get(fanout_definition_call *call);
/* Where there is none of its name; the body, YAML or JSON, names it. */
void fanout_definition_serve_create(fanout_definition_call *call);
/* Under the address's name, whether there is one or not. */
void fanout_definition_serve_put(fanout_definition_call *call);
void fanout_definition_serve_delete(fanout_definition_call *call);

#endif
