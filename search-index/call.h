/* One request to the HTTP surface, as its handler has it: the path's parts, who asks, and the
 * answer. Private to the room. */
#ifndef WALCAST_SEARCH_INDEX_CALL_H
#define WALCAST_SEARCH_INDEX_CALL_H

#include "search-index/code.h"
#include "search-index/params.h"
#include "search-index/record.h"
#include "search-index/worker.h"

#define SEARCH_PATH_PARTS_MAX 8

typedef struct search_call search_call;

/* Answers, or refuses: false, and the refusal is written for it. */
typedef bool (*search_handler)(search_call *call);

struct search_call {
    search_host *host;
    search_worker *worker;
    core_route_reply *reply;
    const core_route_request *request;
    core_arena *arena;
    core_slice parts[SEARCH_PATH_PARTS_MAX]; /* of the path, percent-encoding undone */
    size_t part_count;
    core_json_writer json; /* the answer's body */
    search_refusal refusal;
    int64_t began_ns;
};

/* Takes the request apart. False: refused. */
CORE_MUST_CHECK bool search_call_begin(search_call *call, search_worker *worker,
                                       core_route_reply *reply);
/* Sends the answer, or the refusal; with `is_problem` as RFC 9457 has it. The reply is gone. */
void search_call_end(search_call *call, bool ok, bool is_problem);
/* Refuses a reply that has no call yet. */
void search_call_refuse(core_route_reply *reply, const search_refusal *refusal);

/* The path's project, part 2 of /search/v1, is the caller's, which "-" means too. */
CORE_MUST_CHECK bool search_call_project(search_call *call);
/* The index that the path names (part 1), held: to be released. NULL: refused. */
CORE_MUST_CHECK const search_entry *search_call_entry(search_call *call, core_slice uid);
/* The same that answers; NULL: refused, for it is not built yet. */
CORE_MUST_CHECK search_open *search_call_open(search_call *call, core_slice uid);
/* A body of JSON that is there and well-formed. */
CORE_MUST_CHECK bool search_call_json(search_call *call);
/* Whether the caller's key is for that index too. */
bool search_call_has(const search_call *call, core_slice uid);
/* Whether `uid` may be an index's name. */
CORE_MUST_CHECK bool search_call_uid(search_call *call, core_slice uid);

/* ---- Writing ---- */
/* Appends to the log, and answers with the task. The record's project, environment and time are
 * filled in. */
CORE_MUST_CHECK bool search_call_append(search_call *call, search_record *record);
/* The index may be written to: it is none of tables. One that is not there is no error. */
CORE_MUST_CHECK bool search_call_writable(search_call *call, core_slice uid);

/* Members of a small JSON object, each at most once: a call of the table's function. */
typedef struct {
    const char *name;
    /* `token` is the member's; reads all of it. */
    bool (*take)(search_call *call, core_json_reader *reader, core_json_token token, void *target);
    size_t target; /* offset into the object that is filled */
} search_member;
CORE_MUST_CHECK bool search_call_members(search_call *call, core_slice json,
                                         const search_member *members, size_t count, void *target);
/* For `take`: the member as it is, JSON, into a slice; and of one that is taken and of no use. */
bool search_call_raw(search_call *call, core_json_reader *reader, core_json_token token,
                     void *target);
bool search_call_ignored(search_call *call, core_json_reader *reader, core_json_token token,
                         void *target);

#endif
