/* A task of this node, as Meilisearch's clients are shown it. Pure. */
#ifndef WALCAST_SEARCH_INDEX_TASK_SHOW_H
#define WALCAST_SEARCH_INDEX_TASK_SHOW_H

#include "search-index/task_view.h"
#include "search-index/tasks.h"

/* Meilisearch's word for what was asked: one for several kinds. Static. */
const char *search_task_type(search_task_kind kind);
void search_task_show(const search_task *task, core_json_writer *json);

#endif
