/* Lowering of calls, and where a function's parameters, .local variables and the .param variables
 * of its calls stand: in the lanes' local memory. A frame there begins with the function's results
 * and parameters; behind it follows the frame of whatever it calls, so that a .param variable that
 * serves one call only is written where the callee reads it. Not here: loads and stores of them
 * (lower_mem.c). */
#include <string.h>

#include "simt/agree.h"
#include "simt/lower_ctl.h"
#include "simt/module.h"

enum { FRAME_ALIGN = 16 };

/* The two lists of a function, of a call's target or of a prototype, one after the other. */
struct signature {
    struct ptx_var *const *lists[2]; /* results, parameters */
    uint32_t counts[2];
};

/* The parts of a call. */
struct call {
    const struct ptx_func *func;        /* NULL: indirect */
    const struct ptx_operand *lists[2]; /* results, arguments; NULL: none */
    struct signature sig;
};

static struct signature signature_of(const struct ptx_func *f)
{
    return (struct signature){{f->results, f->params}, {f->result_count, f->param_count}};
}

static size_t align_of(const struct ptx_var *v)
{
    return MIN(MAX((size_t) v->align, 1), FRAME_ALIGN);
}

/* Offset of a formal in the callee's frame; list 2: the end of all. */
static size_t formal_offset(const struct signature *s, unsigned list, uint32_t index)
{
    size_t at = 0;
    for (unsigned k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < s->counts[k]; i++) {
            const struct ptx_var *v = s->lists[k][i];
            at = ALIGN_UP(at, align_of(v));
            if (k == list && i == index)
                return at;
            at += v->size;
        }
    }
    return ALIGN_UP(at, FRAME_ALIGN);
}

/* False: an indirect call. */
static bool read_call(struct call *out, const struct ptx_insn *in)
{
    *out = (struct call){0};
    bool named = false;
    for (unsigned i = 0; i < in->operand_count; i++) {
        const struct ptx_operand *o = &in->operands[i];
        if (o->kind == PTX_LIST)
            out->lists[named] = o;
        else
            named = true;
        if (o->kind == PTX_FUNCTION)
            out->func = o->func;
    }
    if (!out->func)
        return false;
    out->sig = signature_of(out->func);
    for (unsigned k = 0; k < 2; k++)
        if ((out->lists[k] ? out->lists[k]->count : 0u) != out->sig.counts[k])
            return false;
    return true;
}

/* ---- places ---- */

static struct lower_spot *spot_of(struct lower_ctl *ctl, const struct ptx_var *v)
{
    for (uint32_t i = 0; i < ctl->spot_count; i++)
        if (ctl->spots[i].var == v)
            return &ctl->spots[i];
    return NULL;
}

/* Statements between which a call's .param variables are in use. */
struct span {
    uint32_t call, first, last;
};

static bool names_var(const struct ptx_operand *o, const struct ptx_var *v)
{
    if (o->var == v)
        return true;
    for (uint32_t i = 0; i < o->count; i++)
        if (names_var(&o->items[i], v))
            return true;
    return false;
}

static void widen(struct span *s, const struct ptx_func *f, const struct ptx_var *v)
{
    for (uint32_t i = 0; i < f->insn_count; i++) {
        for (unsigned k = 0; k < f->insns[i].operand_count; k++) {
            if (!names_var(&f->insns[i].operands[k], v))
                continue;
            s->first = MIN(s->first, i);
            s->last = MAX(s->last, i);
        }
    }
}

/* Counts the calls that name each variable and finds the call's span. */
static struct span span_of(struct lower_ctl *ctl, const struct ptx_func *f, uint32_t index)
{
    struct span s = {index, index, index};
    struct call c;
    if (!read_call(&c, &f->insns[index]))
        return s;
    for (unsigned k = 0; k < 2; k++) {
        for (uint32_t i = 0; c.lists[k] && i < c.lists[k]->count; i++) {
            struct lower_spot *spot = spot_of(ctl, c.lists[k]->items[i].var);
            if (c.lists[k]->items[i].kind != PTX_SYMBOL || !spot)
                continue;
            spot->calls++;
            widen(&s, f, spot->var);
        }
    }
    return s;
}

/* Does no call's span overlap another's? So it is in compilers' code; otherwise no variable stands
 * in its callee's frame. */
static bool are_apart(const struct span *spans, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = i + 1; j < count; j++)
            if (spans[i].last >= spans[j].first && spans[j].last >= spans[i].first)
                return false;
    return true;
}

/* Lets the variables of one call stand where the callee reads and writes them. */
static void place_direct(struct lower *l, const struct span *s)
{
    struct call c;
    if (!read_call(&c, &l->func->insns[s->call]))
        return;
    for (unsigned k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < c.sig.counts[k]; i++) {
            struct lower_spot *spot = spot_of(l->ctl, c.lists[k]->items[i].var);
            if (spot && spot->calls == 1 && spot->offset < 0 &&
                spot->var->size == c.sig.lists[k][i]->size)
                spot->offset = (int64_t) (l->local_size + formal_offset(&c.sig, k, i));
        }
    }
}

static bool is_local(const struct ptx_var *v)
{
    return v->space == PTX_LOCAL || v->space == PTX_PARAM;
}

/* The function's own: formals, then what its body declares and no call takes over. */
static bool place_own(struct lower *l, bool all_alone)
{
    struct lower_ctl *ctl = l->ctl;
    size_t at = l->local_size;
    for (uint32_t i = 0; i < ctl->spot_count; i++) {
        struct lower_spot *s = &ctl->spots[i];
        bool direct = all_alone && s->var->space == PTX_PARAM && s->calls == 1;
        if (s->offset >= 0 || direct)
            continue;
        at = ALIGN_UP(at, align_of(s->var));
        s->offset = (int64_t) at;
        at += s->var->size;
        if (at > (1u << 30)) {
            lower_fail(l, "'%s' needs more local memory than there can be", l->func->name);
            return false;
        }
    }
    l->local_size = (uint32_t) ALIGN_UP(at, FRAME_ALIGN);
    return true;
}

static void place_formals(struct lower *l)
{
    if (l->func->kind != PTX_FUNC)
        return;
    struct signature s = signature_of(l->func);
    for (unsigned k = 0; k < 2; k++)
        for (uint32_t i = 0; i < s.counts[k]; i++)
            l->ctl->spots[l->ctl->spot_count++] =
                (struct lower_spot){s.lists[k][i], (int64_t) formal_offset(&s, k, i), 0};
    l->local_size = (uint32_t) formal_offset(&s, 2, 0);
}

bool lower_call_places(struct lower *l)
{
    const struct ptx_func *f = l->func;
    struct lower_ctl *ctl = l->ctl;
    uint32_t calls = 0, count = 0;
    for (uint32_t i = 0; i < f->insn_count; i++)
        calls += f->insns[i].op == PTX_OP_CALL;
    size_t most = (size_t) f->var_count + f->result_count + f->param_count + 1;
    ctl->spots = arena_alloc(l->arena, most * sizeof *ctl->spots);
    struct span *spans = alloc_new((calls + (size_t) 1) * sizeof *spans);
    if (!ctl->spots || !spans) {
        alloc_free(spans);
        lower_fail(l, "memory is short");
        return false;
    }
    ctl->spot_count = 0;
    l->local_size = 0;
    place_formals(l);
    if (calls)
        l->local_size = MAX(l->local_size, FRAME_ALIGN); /* so that a deeper call always stands
                                                            further on */
    for (uint32_t i = 0; i < f->var_count; i++)
        if (is_local(f->vars[i]))
            ctl->spots[ctl->spot_count++] = (struct lower_spot){f->vars[i], -1, 0};
    for (uint32_t i = 0; i < f->insn_count; i++)
        if (f->insns[i].op == PTX_OP_CALL)
            spans[count++] = span_of(ctl, f, i);
    bool apart = are_apart(spans, count), ok = place_own(l, apart);
    for (uint32_t i = 0; i < count && ok && apart; i++)
        place_direct(l, &spans[i]);
    alloc_free(spans);
    return ok;
}

bool lower_where(struct lower *l, const struct ptx_var *var, uint8_t *mode, int64_t *offset)
{
    if (var->space == PTX_SHARED) {
        *mode = SIMT_AT_SHARED;
        *offset = (int64_t) simt_module_shared_offset(l->kernel, var);
        return true;
    }
    const struct lower_spot *s = is_local(var) ? spot_of(l->ctl, var) : NULL;
    if (s && s->offset >= 0) {
        *mode = SIMT_AT_LOCAL;
        *offset = s->offset;
        return true;
    }
    *mode = SIMT_AT_PARAM;
    *offset = (int64_t) var->offset;
    for (uint32_t i = 0; l->func->kind == PTX_ENTRY && i < l->func->param_count; i++)
        if (l->func->params[i] == var)
            return true;
    return false;
}

/* ---- calls ---- */

/* Emits what brings an argument from the caller's frame to the callee's, or a result back. */
static void move(struct lower *l, const struct ptx_operand *o, const struct ptx_var *formal,
                 int64_t at, bool result)
{
    bool wide = ptx_types[formal->type].bits == 64;
    if (o->kind == PTX_SINK)
        return;
    if (o->kind == PTX_SYMBOL) {
        const struct lower_spot *s = spot_of(l->ctl, o->var);
        if (!s || o->var->size != formal->size || s->offset == at) {
            if (!s || s->offset != at)
                lower_unsupported(l);
            return;
        }
        struct simt_insn *x = lower_emit(l, SIMT_OP_LOCAL_MOVE);
        x->d = (uint32_t) (result ? s->offset : at);
        x->a = (uint32_t) (result ? at : s->offset);
        x->b = (uint32_t) formal->size;
        x->imm = (int64_t) (MAX(x->a, x->d) + x->b);
        return;
    }
    if (formal->size != 4 && formal->size != 8) {
        lower_unsupported(l);
        return;
    }
    unsigned bits = wide ? 64 : 32;
    uint32_t slot = result ? lower_dst(l, o, bits) : lower_src(l, o, bits);
    enum simt_op op = result ? wide ? SIMT_OP_LD_64_64 : SIMT_OP_LD_32_32
                      : wide ? SIMT_OP_ST_64_64
                             : SIMT_OP_ST_32_32;
    struct simt_insn *x = lower_emit(l, op);
    x->d = x->c = slot;
    x->imm = at;
    x->x[0] = SIMT_AT_LOCAL;
    x->x[1] = PTX_LOCAL;
}

static void move_list(struct lower *l, const struct call *c, unsigned list)
{
    for (uint32_t i = 0; i < c->sig.counts[list]; i++)
        move(l, &c->lists[list]->items[i], c->sig.lists[list][i],
             (int64_t) (l->local_size + formal_offset(&c->sig, list, i)), list == 0);
}

/* What kernels may call though no text defines it. */
static const struct {
    const char *name;
    enum simt_op op;
    uint8_t results, params;
} known[] = {
    {"vprintf", SIMT_OP_VPRINTF, 1, 2},
    {"__assertfail", SIMT_OP_ASSERTFAIL, 0, 5},
    {"malloc", SIMT_OP_MALLOC, 1, 1},
    {"free", SIMT_OP_MFREE, 0, 1},
    /* The device runtime's; streams and events only keep order, and there is no other. */
    {"__cudaCDP2GetParameterBufferV2", SIMT_OP_CHILD_PREPARE, 1, 4},
    {"__cudaCDP2LaunchDeviceV2", SIMT_OP_CHILD_LAUNCH, 1, 2},
    {"__cudaCDP2GetLastError", SIMT_OP_CHILD_ERROR, 1, 0},
    {"__cudaCDP2PeekAtLastError", SIMT_OP_CHILD_PEEK, 1, 0},
    {"__cudaCDP2StreamCreateWithFlags", SIMT_OP_CHILD_HANDLE, 1, 2},
    {"__cudaCDP2StreamDestroy", SIMT_OP_CHILD_NOTHING, 1, 1},
    {"__cudaCDP2StreamWaitEvent", SIMT_OP_CHILD_NOTHING, 1, 3},
    {"__cudaCDP2EventCreateWithFlags", SIMT_OP_CHILD_HANDLE, 1, 2},
    {"__cudaCDP2EventRecord", SIMT_OP_CHILD_NOTHING, 1, 2},
    {"__cudaCDP2EventRecordWithFlags", SIMT_OP_CHILD_NOTHING, 1, 3},
    {"__cudaCDP2EventDestroy", SIMT_OP_CHILD_NOTHING, 1, 1},
};

bool simt_provides(const char *name)
{
    for (size_t k = 0; k < ARRAY_LEN(known); k++)
        if (strcmp(name, known[k].name) == 0)
            return true;
    return false;
}

/* vprintf and its like: their operands are the offsets of the formals. */
static bool emit_builtin(struct lower *l, const struct call *c)
{
    for (size_t k = 0; k < ARRAY_LEN(known); k++) {
        if (strcmp(c->func->name, known[k].name) != 0 || c->sig.counts[0] != known[k].results ||
            c->sig.counts[1] != known[k].params)
            continue;
        uint32_t at[5] = {0};
        for (uint32_t i = 0; i < c->sig.counts[1]; i++)
            at[i] = (uint32_t) (l->local_size + formal_offset(&c->sig, 1, i));
        struct simt_insn *x = lower_emit(l, known[k].op);
        x->d = (uint32_t) (l->local_size + formal_offset(&c->sig, 0, 0));
        x->a = at[0], x->b = at[1], x->c = at[2], x->e = at[3], x->f = at[4];
        x->imm = (int64_t) (l->local_size + formal_offset(&c->sig, 2, 0));
        struct lower_room *r = arena_alloc(l->arena, sizeof *r);
        if (!r) {
            lower_fail(l, "memory is short");
            return true;
        }
        *r = (struct lower_room){l->ctl->rooms, l->ctl->frame, (uint32_t) x->imm};
        l->ctl->rooms = r;
        return true;
    }
    return false;
}

static uint32_t want(struct lower *l, const struct ptx_func *f)
{
    uint32_t i = 0;
    while (i < l->wanted.len && l->wanted.at[i] != f)
        i++;
    if (i == l->wanted.len && !vec_push(&l->wanted, f))
        lower_fail(l, "memory is short");
    return i;
}

static void emit_call(struct lower *l, const struct ptx_func *f)
{
    uint32_t to = want(l, f);
    struct lower_edge *e = arena_alloc(l->arena, sizeof *e);
    if (!e) {
        lower_fail(l, "memory is short");
        return;
    }
    *e = (struct lower_edge){l->ctl->edges, l->ctl->frame, to, (uint32_t) l->code.len};
    l->ctl->edges = e;
    struct simt_insn *x = lower_emit(l, SIMT_OP_CALL);
    x->e = to;
    x->f = l->ctl->frame;
}

/* ---- calls by address ---- */

static bool fits(const struct ptx_func *f, const struct ptx_prototype *p)
{
    if (f->result_count != p->result_count || f->param_count != p->param_count)
        return false;
    for (uint32_t i = 0; i < p->result_count; i++)
        if (f->results[i]->size != p->results[i].size ||
            f->results[i]->space != p->results[i].space)
            return false;
    for (uint32_t i = 0; i < p->param_count; i++)
        if (f->params[i]->size != p->params[i].size || f->params[i]->space != p->params[i].space)
            return false;
    return true;
}

/* The next function from *at on that the call may mean, or NULL. */
static const struct ptx_func *candidate(const struct lower *l, size_t *at)
{
    const struct simt_taken *taken = simt_module_taken(l->module);
    while (*at < taken->len) {
        const struct ptx_func *f = taken->at[(*at)++];
        if (fits(f, l->in->prototype))
            return f;
    }
    return NULL;
}

static const struct ptx_operand *read_indirect(struct call *out, const struct ptx_insn *in)
{
    const struct ptx_operand *address = NULL;
    *out = (struct call){0};
    for (unsigned i = 0; i < in->operand_count; i++) {
        if (in->operands[i].kind == PTX_LIST)
            out->lists[address != NULL] = &in->operands[i];
        else
            address = &in->operands[i];
    }
    return address;
}

/* "Is it this one? Then call it", for each function that it may be: lanes may want different ones.
 */
static void emit_choice(struct lower *l, uint32_t address, const struct ptx_func *f, uint32_t *end)
{
    uint32_t target = lower_const(l, simt_func_address(f), 64), is_other = lower_temp(l, 1);
    struct simt_insn *x = lower_emit(l, SIMT_OP_SETP_NE_64);
    x->d = is_other, x->a = address, x->b = target;
    uint32_t skip = lower_skip(l, is_other, false);
    emit_call(l, f);
    lower_emit(l, SIMT_OP_BRA)->e = *end; /* a chain, until where it ends is known */
    *end = (uint32_t) l->code.len - 1;
    lower_land(l, skip);
}

static bool lower_indirect(struct lower *l)
{
    struct call c;
    const struct ptx_operand *operand = read_indirect(&c, l->in);
    uint32_t end = UINT32_MAX;
    size_t at = 0, first = 0;
    c.func = candidate(l, &first);
    if (c.func) {
        c.sig = signature_of(c.func);
        move_list(l, &c, 1);
    }
    uint32_t address = lower_src(l, operand, 64);
    for (const struct ptx_func *f; !l->failed && (f = candidate(l, &at));)
        emit_choice(l, address, f, &end);
    lower_emit(l, SIMT_OP_CALL_NOWHERE)->a = address;
    while (end < l->code.len) {
        uint32_t before = l->code.at[end].e;
        lower_land(l, end);
        end = before;
    }
    if (c.func)
        move_list(l, &c, 0);
    return true;
}

bool lower_call(struct lower *l)
{
    struct call c;
    if (simt_is_indirect(l->in))
        return lower_indirect(l);
    if (!read_call(&c, l->in)) {
        lower_unsupported(l);
        return true;
    }
    move_list(l, &c, 1);
    if (c.func->defined)
        emit_call(l, c.func);
    else if (!emit_builtin(l, &c))
        lower_fail(l, "'%s' calls '%s', which no code defines (line %u of its PTX)", l->func->name,
                   c.func->name, l->in->line);
    move_list(l, &c, 0);
    return true;
}

/* ---- frames ---- */

enum {
    MOST_DEEP = 256
}; /* calls in a chain that are added up; beyond that they are taken for
      recursive */

/* Adds up local memory along the deepest chain of calls; a frame met again on its own chain is
 * recursive. */
static void deepen(struct lower *l, uint32_t frame, bool *open, unsigned depth)
{
    struct simt_frame *f = &l->frames.at[frame];
    uint64_t local = f->local_size;
    bool recursive = depth > MOST_DEEP;
    open[frame] = true;
    for (const struct lower_room *r = l->ctl->rooms; r; r = r->next)
        if (r->frame == frame)
            local = MAX(local, r->bytes);
    for (const struct lower_edge *e = l->ctl->edges; e && !recursive; e = e->next) {
        if (e->from != frame)
            continue;
        if (!open[e->to] && !l->frames.at[e->to].deep_local)
            deepen(l, e->to, open, depth + 1);
        const struct simt_frame *to = &l->frames.at[e->to];
        recursive = open[e->to] || to->deep_local == UINT32_MAX;
        local = MAX(local, (uint64_t) f->local_size + to->deep_local);
    }
    open[frame] = false;
    f->deep_local = recursive || local >= UINT32_MAX ? UINT32_MAX : (uint32_t) local;
}

/* Marks all that a frame can reach. */
static void reach(const struct lower *l, uint32_t frame, bool *seen, uint32_t *stack)
{
    uint32_t depth = 0;
    stack[depth++] = frame;
    seen[frame] = true;
    while (depth) {
        uint32_t at = stack[--depth];
        for (const struct lower_edge *e = l->ctl->edges; e; e = e->next) {
            if (e->from != at || seen[e->to])
                continue;
            seen[e->to] = true;
            stack[depth++] = e->to;
        }
    }
}

/* Gives every frame its columns and every call its way from the caller's to the callee's: a level
 * further where the callee can come back to the caller. */
static void lay_out(struct lower *l, bool *seen, uint32_t *stack)
{
    uint32_t at = 0;
    for (size_t i = 0; i < l->frames.len; i++) {
        at += i ? SIMT_LINK_COLUMNS : 0;
        l->frames.at[i].base = at;
        at += l->frames.at[i].columns;
    }
    at += SIMT_LINK_COLUMNS;
    l->frames.at[0].all_columns = at;
    for (const struct lower_edge *e = l->ctl->edges; e; e = e->next) {
        struct simt_insn *x = &l->code.at[e->pc];
        memset(seen, 0, l->frames.len * sizeof *seen);
        reach(l, e->to, seen, stack);
        x->imm = (int64_t) l->frames.at[e->to].base - l->frames.at[e->from].base +
                 (seen[e->from] ? at : 0);
    }
}

void lower_call_frames(struct lower *l)
{
    size_t n = l->frames.len;
    if (!n || l->failed)
        return;
    bool *seen = alloc_zero(n, sizeof *seen);
    uint32_t *stack = alloc_zero(n, sizeof *stack);
    if (!seen || !stack) {
        lower_fail(l, "memory is short");
    } else {
        deepen(l, 0, seen, 0);
        lay_out(l, seen, stack);
    }
    alloc_free(seen);
    alloc_free(stack);
}
