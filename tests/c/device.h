/* What the files of the driver conformance suite share. Every case runs in a process of its own on
 * one driver: NVIDIA's, the CPU device linked in, or libruncu-cpu.so. Expectations hold on all of
 * them, those of CPU_CASES on the CPU device alone. */
#ifndef TESTS_DEVICE_H
#define TESTS_DEVICE_H

#include <stdbool.h>

#include "base/base.h"
#include "driver/driver.h"
#include "test.h"

#define CASES(X)                                  \
    X(calls_before_init_fail)                     \
    X(errors_have_names_and_texts)                \
    X(device_answers)                             \
    X(every_attribute_is_answered)                \
    X(bus_id_finds_the_device)                    \
    X(calls_without_context_fail)                 \
    X(peers_are_other_contexts)                   \
    X(shared_banks_are_four_bytes)                \
    X(contexts_stack)                             \
    X(contexts_have_ids)                          \
    X(profilers_are_started_and_stopped)          \
    X(set_current_replaces_the_top)               \
    X(primary_context_is_counted)                 \
    X(contexts_are_per_thread)                    \
    X(context_destroyed_elsewhere_is_noticed)     \
    X(limits_are_kept)                            \
    X(allocations_are_checked)                    \
    X(copies_of_any_size_and_offset)              \
    X(copies_beyond_an_allocation_write_nothing)  \
    X(copies_of_nothing_succeed)                  \
    X(frees_are_checked)                          \
    X(address_range_of_any_inner_address)         \
    X(memory_runs_out)                            \
    X(sets_of_all_widths)                         \
    X(sets_of_rows)                               \
    X(sets_are_checked)                           \
    X(page_locked_memory_is_shared)               \
    X(pointers_have_attributes)                   \
    X(pitched_rows_are_aligned)                   \
    X(managed_memory_is_shared)                   \
    X(managed_memory_is_checked)                  \
    X(managed_memory_moves_and_is_attached)       \
    X(registered_memory_is_shared)                \
    X(registering_is_checked)                     \
    X(shared_memory_is_freed_with_work_in_flight) \
    X(processes_share_memory)                     \
    X(handles_for_processes_are_checked)          \
    X(processes_share_events)                     \
    X(memory_follows_streams)                     \
    X(pools_count_their_memory)                   \
    X(pools_are_checked)                          \
    X(addresses_are_mapped)                       \
    X(mappings_are_checked)                       \
    X(mapped_memory_travels_by_descriptor)        \
    X(rows_are_copied)                            \
    X(rows_are_checked)                           \
    X(boxes_are_copied)                           \
    X(copies_between_contexts)                    \
    X(arrays_have_shapes)                         \
    X(arrays_are_checked)                         \
    X(array_parts_are_copied)                     \
    X(arrays_of_all_shapes_are_copied)            \
    X(mipmaps_have_levels)                        \
    X(textures_are_made_of_everything)            \
    X(textures_have_views)                        \
    X(textures_are_checked)                       \
    X(surfaces_are_made_of_arrays)                \
    X(module_variables)                           \
    X(variables_hold_addresses)                   \
    X(modules_have_their_own_variables)           \
    X(missing_names_are_not_found)                \
    X(bad_images_are_refused)                     \
    X(bad_text_is_explained)                      \
    X(functions_have_attributes)                  \
    X(parameters_are_described)                   \
    X(occupancy_follows_block_and_shared)         \
    X(texts_are_linked)                           \
    X(parameters_by_pointer_and_by_buffer)        \
    X(parameters_are_copied_at_launch)            \
    X(launch_shapes_are_checked)                  \
    X(launch_arguments_are_checked)               \
    X(indices_in_three_dimensions)                \
    X(dynamic_shared_memory)                      \
    X(shared_memory_beyond_the_default)           \
    X(launches_with_attributes)                   \
    X(cooperative_blocks_wait_for_each_other)     \
    X(cooperative_launches_are_limited)           \
    X(clusters_need_the_capability)               \
    X(block_size_of_best_occupancy)               \
    X(shared_memory_that_is_left)                 \
    X(kernels_print)                              \
    X(many_launches_without_waiting)              \
    X(streams_keep_order)                         \
    X(legacy_stream_orders_blocking_streams)      \
    X(non_blocking_stream_runs_beside)            \
    X(per_thread_streams_are_distinct)            \
    X(work_goes_on_without_waiting)               \
    X(kernel_waits_for_a_flag_of_the_host)        \
    X(kernel_waits_for_another_kernel)            \
    X(host_functions_run_in_order)                \
    X(destroyed_stream_finishes_its_work)         \
    X(stream_properties)                          \
    X(events_say_when_work_is_done)               \
    X(events_measure_time)                        \
    X(events_order_streams)                       \
    X(events_are_checked)                         \
    X(event_waits_for_what_it_recorded_last)      \
    X(graph_of_every_kind_of_node)                \
    X(graph_copies_of_rows_and_of_host_memory)    \
    X(graph_edges_and_nodes_are_told)             \
    X(graph_edges_that_go_round)                  \
    X(graph_is_drawn)                             \
    X(graph_arguments_are_checked)                \
    X(graph_of_graphs)                            \
    X(graph_records_and_waits_for_events)         \
    X(graph_nodes_are_changed)                    \
    X(graph_is_updated_whole)                     \
    X(graph_launches_come_after_each_other)       \
    X(capture_makes_a_graph)                      \
    X(capture_of_two_streams)                     \
    X(capture_with_external_events)               \
    X(capture_of_a_graph_launch)                  \
    X(capture_begins_and_ends_once)               \
    X(capture_cannot_be_waited_for)               \
    X(capture_stays_apart)                        \
    X(capture_must_be_joined)                     \
    X(capture_beside_the_default_stream)          \
    X(capture_modes_forbid)                       \
    X(capture_belongs_to_its_thread)              \
    X(threads_at_once)                            \
    X(busy_context_lets_others_wait_and_free)     \
    X(illegal_address_sticks)                     \
    X(misaligned_address_sticks)                  \
    X(trap_sticks)                                \
    X(assert_sticks)

#define CPU_CASES(X)                             \
    X(stale_and_foreign_handles_are_refused)     \
    X(graph_of_what_is_gone)                     \
    X(capture_ends_with_its_stream)              \
    X(fault_leaves_other_contexts_alone)         \
    X(fault_text_past_the_end)                   \
    X(fault_text_of_freed_memory)                \
    X(fault_text_of_a_constant)                  \
    X(fault_text_of_unregistered_memory)         \
    X(fault_text_of_managed_memory)              \
    X(read_only_memory_is_not_written)           \
    X(stale_handles_of_processes_are_refused)    \
    X(fault_text_of_closed_memory)               \
    X(shared_memory_of_a_child_is_its_own)       \
    X(process_that_ends_holds_nobody_up)         \
    X(memory_of_a_pool_is_found_out)             \
    X(memory_that_streams_will_free_is_waited_for)\
    X(fault_text_of_unmapped_memory)             \
    X(mapped_memory_of_a_child_is_its_own)       \
    X(memory_of_every_kind_is_short)             \
    X(fault_drops_queued_work)                   \
    X(fault_with_many_threads_waiting)           \
    X(free_waits_for_copies_of_other_contexts)   \
    X(stale_arrays_are_refused)                  \
    X(arrays_give_their_memory_back)             \
    X(arrays_wait_for_copies_in_flight)          \
    X(binary_images_are_for_gpus)                \
    X(text_for_newer_devices_is_refused)         \
    X(too_much_static_shared_is_refused_at_load) \
    X(unsupported_kernel_fails_when_asked_for)   \
    X(refusals_are_explained)                    \
    X(memory_limit_from_the_environment)         \
    X(architecture_from_the_environment)         \
    X(interrupt_stops_an_endless_kernel)         \
    X(interrupt_stops_what_is_queued)            \
    X(printed_text_goes_to_the_callback)         \
    X(host_function_may_not_call_back)           \
    X(memory_is_short_at_any_allocation)         \
    X(child_goes_on_after_fork)                  \
    X(child_finishes_what_was_queued)            \
    X(exit_with_work_in_flight)                  \
    X(one_thread_is_enough)                      \
    X(blocked_host_function_stops_no_kernel)

#define DECLARE(name) void name(void);
CASES(DECLARE)
CPU_CASES(DECLARE)
#undef DECLARE

extern struct drv_table cu;

#define OK(call) REQUIRE_INT(call, ==, CUDA_SUCCESS)
#define FAILS(call, code) REQUIRE_INT(call, ==, code)

/* Initialises and makes a context current. */
CUcontext begin(void);

/* device_rows.c: notes which rows of a table succeed, in all processes that begin later. Of cases
 * for the CPU device alone only that device's own rows count. */
void rows_begin(void);
void rows_watch(struct drv_table *table, bool cpu_only);
/* Names those of `table`, as it was loaded, that never did; their number. */
int rows_end(const struct drv_table *table);

/* PTX of the suite: kernels of one module. */
extern const char ptx_text[];
CUfunction kernel(const char *name); /* of that module, loaded into the current context */
CUfunction kernel_of(CUmodule *out, const char *ptx, const char *name);

/* One-dimensional, with up to three 8-byte arguments. */
CUresult launch(CUfunction f, unsigned grid, unsigned block, CUstream stream, const uint64_t *args);
/* Launches it once and waits: a driver that loads kernels when they are first launched may wait for
 * running ones then. */
void warm_up(CUfunction f, const uint64_t *args);
#define ARGS(...) ((const uint64_t[3]){__VA_ARGS__})

CUdeviceptr words(size_t count, unsigned value); /* device memory, each word set */
unsigned word(CUdeviceptr at);
volatile unsigned *flag(CUdeviceptr *device); /* a page-locked word, zero */
double seconds(void);
void sleep_ms(unsigned ms);

#endif
