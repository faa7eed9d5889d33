/* PTX text to IR: what each construct becomes, and that it prints again. */
#include "ptx_rig.h"

/* ---- the module ---- */

static void a_module_knows_its_head(void)
{
    struct ptx_module *m = parsed(".version 7.8 .target sm_86, debug .address_size 64");
    REQUIRE_INT(m->version_major, ==, 7);
    REQUIRE_INT(m->version_minor, ==, 8);
    REQUIRE_STR(m->target, "sm_86");
    REQUIRE_INT(m->sm, ==, 86);
    REQUIRE_INT(m->address_size, ==, 64);
    REQUIRE_INT(m->func_count + m->var_count, ==, 0);
    REQUIRE(!ptx_find_func(m, "k") && !ptx_find_var(m, "k"));
    ptx_destroy(&m);
    REQUIRE(m == NULL);
    ptx_destroy(&m);
}

static void the_text_may_go_after_parsing(void)
{
    const char *text = BODY("mov.u32 %r1, %tid.x; // a comment\n/* and */ add.s32 %r2, %r1, 7;");
    char *copy = alloc_string(text);
    struct ptx_module *m;
    struct ptx_diag diag;
    REQUIRE(copy && ptx_parse(&m, copy, strlen(copy), &diag) == 0);
    memset(copy, 'x', strlen(copy));
    alloc_free(copy);
    REQUIRE_STR(insn(m, 1)->name, "add.s32");
    REQUIRE_STR(insn(m, 1)->operands[1].reg->name, "%r1");
    ptx_destroy(&m);
}

static void kernel_parameters_have_offsets(void)
{
    struct ptx_module *m =
        parsed(HEAD ".visible .entry k(.param .u8 a, .param .f64 b, .param .align 4 .b8 c[6],\n"
                    " .param .u64 .ptr .global .align 16 d, .param .v4 .f32 e, .param .u16 f)\n"
                    " .maxntid 128, 2 .minnctapersm 3 .maxnreg 40 { ret; }");
    const struct ptx_func *k = ptx_find_func(m, "k");
    const size_t offsets[] = {0, 8, 16, 24, 32, 48};
    REQUIRE_INT(k->param_count, ==, 6);
    for (uint32_t i = 0; i < 6; i++)
        REQUIRE_INT(k->params[i]->offset, ==, offsets[i]);
    REQUIRE_INT(k->param_size, ==, 50);
    REQUIRE_INT(k->params[2]->size, ==, 6);
    REQUIRE_INT(k->params[2]->align, ==, 4);
    REQUIRE(k->params[3]->is_ptr && k->params[3]->ptr_space == PTX_GLOBAL);
    REQUIRE_INT(k->params[3]->ptr_align, ==, 16);
    REQUIRE_INT(k->params[4]->vector, ==, 4);
    REQUIRE(k->kind == PTX_ENTRY && k->is_visible && k->params[0]->func == k);
    REQUIRE_INT(k->maxntid[0] * 100 + k->maxntid[1] * 10 + k->maxntid[2], ==, 12821);
    REQUIRE_INT(k->minnctapersm, ==, 3);
    REQUIRE_INT(k->maxnreg, ==, 40);
    REQUIRE_INT(k->reqntid[0], ==, 0);
    ptx_destroy(&m);
}

static void clusters_are_kept(void)
{
    struct ptx_module *m = parsed(HEAD ".entry k() .explicitcluster .reqnctapercluster 2, 1, 4 "
                                       ".maxclusterrank 8 { ret; }");
    const struct ptx_func *k = ptx_find_func(m, "k");
    REQUIRE(k->explicit_cluster);
    REQUIRE_INT(k->reqnctapercluster[0] * k->reqnctapercluster[2], ==, 8);
    REQUIRE_INT(k->maxclusterrank, ==, 8);
    ptx_destroy(&m);
}

static void a_declaration_and_its_definition_are_one(void)
{
    struct ptx_module *m =
        parsed(HEAD ".extern .global .align 8 .b8 table[];\n"
                    ".func (.param .b32 r) f (.param .b64 a);\n"
                    ".entry k() { .reg .b64 %d<2>; mov.u64 %d1, f; ret; }\n"
                    ".func (.param .b32 out) f (.param .b64 in) { st.param.b32 [out], 3; ret; }\n"
                    ".func gone () .noreturn;\n"
                    ".global .align 8 .b8 table[4] = {1, 2};\n");
    REQUIRE_INT(m->func_count, ==, 3);
    REQUIRE_INT(m->var_count, ==, 1);
    const struct ptx_func *f = ptx_find_func(m, "f");
    REQUIRE(f->defined && f->kind == PTX_FUNC && m->funcs[0] == f);
    REQUIRE_STR(f->params[0]->name, "in");
    REQUIRE(insn(m, 0)->operands[1].kind == PTX_FUNCTION && insn(m, 0)->operands[1].func == f);
    REQUIRE(!ptx_find_func(m, "gone")->defined && ptx_find_func(m, "gone")->is_noreturn);
    const struct ptx_var *table = ptx_find_var(m, "table");
    REQUIRE(!table->unsized && !table->is_extern && table->size == 4 && table->init[1] == 2);
    ptx_destroy(&m);
}

/* ---- variables ---- */

static void variables_have_sizes(void)
{
    struct ptx_module *m = parsed(
        HEAD
        ".extern .shared .align 16 .b8 dynamic[];\n.visible .const .v4 .f32 four;\n"
        ".weak .global .s16 grid[2][3][4], alone;\n.common .global .u64 shared_by_all;\n"
        ".global .attribute(.managed) .u32 both;\n.global .texref t;\n.global .b8 bits[1 << 4];");
    const struct ptx_var *v = ptx_find_var(m, "dynamic");
    REQUIRE(v->unsized && v->is_extern && v->size == 0 && v->align == 16 && v->space == PTX_SHARED);
    v = ptx_find_var(m, "four");
    REQUIRE(v->size == 16 && v->align == 16 && v->is_visible && v->space == PTX_CONST);
    v = ptx_find_var(m, "grid");
    REQUIRE(v->count == 24 && v->size == 48 && v->align == 2 && v->is_weak && !v->func);
    REQUIRE(ptx_find_var(m, "alone")->size == 2 && ptx_find_var(m, "shared_by_all")->is_common);
    REQUIRE(ptx_find_var(m, "t")->type == PTX_TEXREF && ptx_find_var(m, "bits")->size == 16);
    ptx_destroy(&m);
}

static void require_init(const struct ptx_module *m, const char *name, const char *hex)
{
    const struct ptx_var *v = ptx_find_var(m, name);
    char text[256] = "";
    for (size_t i = 0; i < v->size; i++)
        snprintf(text + 2 * i, sizeof text - 2 * i, "%02x", v->init[i]);
    REQUIRE_STR(text, hex);
}

static void initialisers_become_bytes(void)
{
    struct ptx_module *m = parsed(
        HEAD ".global .b8 bytes[6] = {1, -2, 0xFF, 07};\n.global .u32 word = 0x12345678;\n"
             ".const .f32 floats[3] = {0f3F800000, 1.5, 2};\n.global .f64 d = 0d3FF8000000000000;\n"
             ".global .s16 rows[2][2] = {{1}, {-1, 3}};\n.global .u8 open[] = {9, 8, 7};\n"
             ".global .u16 pairs[][2] = {{1, 2}, {3}};\n.global .v2 .u16 v[2] = {{1, 2}, {3, 4}};\n"
             ".global .s64 sum = (1 + 2) * 3 - -(4 << 2);\n.global .u32 none;");
    require_init(m, "bytes", "01feff070000");
    require_init(m, "word", "78563412");
    require_init(m, "floats", "0000803f0000c03f00000040");
    require_init(m, "d", "000000000000f83f");
    require_init(m, "rows", "01000000ffff0300");
    require_init(m, "open", "090807");
    require_init(m, "pairs", "0100020003000000");
    require_init(m, "v", "0100020003000400");
    require_init(m, "sum", "1900000000000000");
    REQUIRE_INT(ptx_find_var(m, "open")->count, ==, 3);
    REQUIRE(!ptx_find_var(m, "none")->init);
    ptx_destroy(&m);
}

static void addresses_in_initialisers_are_relocations(void)
{
    struct ptx_module *m = parsed(HEAD ".func f ();\n.global .u32 x[4];\n"
                                       ".global .u64 p[5] = {x, generic(x)+8, f, 7, x-4};\n"
                                       ".global .b8 one[3] = {0xff(x), 0xff00(x), 0xFF0000(x+2)};");
    const struct ptx_var *x = ptx_find_var(m, "x"), *p = ptx_find_var(m, "p");
    REQUIRE_INT(p->reloc_count, ==, 4);
    REQUIRE(p->relocs[0].var == x && !p->relocs[0].generic && p->relocs[0].size == 8);
    REQUIRE(p->relocs[1].generic && p->relocs[1].addend == 8 && p->relocs[1].offset == 8);
    REQUIRE(p->relocs[2].func == ptx_find_func(m, "f") && !p->relocs[2].var);
    REQUIRE(p->relocs[3].addend == -4 && p->relocs[3].offset == 32 && p->init[24] == 7);
    const struct ptx_var *one = ptx_find_var(m, "one");
    for (unsigned i = 0; i < 3; i++)
        REQUIRE(one->relocs[i].size == 1 && one->relocs[i].shift == 8 * i);
    REQUIRE_INT(one->relocs[2].addend, ==, 2);
    ptx_destroy(&m);
}

/* ---- registers, blocks, labels ---- */

static void registers_are_made_when_used(void)
{
    struct ptx_module *m =
        parsed(HEAD ".entry k() { .reg .b32 %r<1000000>, x, y<3>; .reg .v4 .f32 v;"
                    "add.s32 %r999999, x, y2; add.f32 v.x, v.w, v.w; ret; }");
    const struct ptx_func *k = ptx_find_func(m, "k");
    REQUIRE_INT(k->reg_count, ==, 4);
    for (uint32_t i = 0; i < k->reg_count; i++)
        REQUIRE(k->regs[i]->index == i);
    const struct ptx_operand *o = insn(m, 1)->operands;
    REQUIRE(o[0].reg == o[1].reg && o[0].component == 0 && o[1].component == 3);
    REQUIRE(o[0].reg->vector == 4 && o[0].reg->type == PTX_F32);
    ptx_destroy(&m);
}

/* {…} hides what is outside; inline assembly relies on it. */
static void blocks_hide_names(void)
{
    struct ptx_module *m = parsed(
        BODY("mov.u32 %r1, 1; { .reg .b32 t; .reg .b32 %r<4>; mov.u32 %r1, 2; mov.u32 t, %r1; }"
             "{ .reg .f32 t; mov.f32 t, 0f00000000; mov.u32 %r1, 3; }"));
    REQUIRE(insn(m, 0)->operands[0].reg == insn(m, 4)->operands[0].reg);
    REQUIRE(insn(m, 0)->operands[0].reg != insn(m, 1)->operands[0].reg);
    REQUIRE(insn(m, 1)->operands[0].reg == insn(m, 2)->operands[1].reg);
    REQUIRE(insn(m, 2)->operands[0].reg != insn(m, 3)->operands[0].reg);
    ptx_destroy(&m);
}

static void labels_resolve_by_block(void)
{
    struct ptx_module *m = parsed(
        BODY("bra OUT; { L: bra L; bra OUT; } { @%p1 bra L; L : @!%p2 bra.uni L; } OUT: END:"));
    REQUIRE_INT(insn(m, 0)->operands[0].label->target, ==, 5);
    REQUIRE_INT(insn(m, 1)->operands[0].label->target, ==, 1);
    REQUIRE_INT(insn(m, 2)->operands[0].label->target, ==, 5);
    REQUIRE_INT(insn(m, 3)->operands[0].label->target, ==, 4);
    REQUIRE_INT(insn(m, 4)->operands[0].label->target, ==, 4);
    REQUIRE(!insn(m, 3)->guard_negated && insn(m, 4)->guard_negated);
    REQUIRE_STR(insn(m, 4)->guard->name, "%p2");
    const struct ptx_func *k = ptx_find_func(m, "k");
    REQUIRE_INT(k->label_count, ==, 4);
    ptx_destroy(&m);
}

static void a_label_at_the_end_is_past_the_last_instruction(void)
{
    struct ptx_module *m = parsed(HEAD ".entry k() { bra E; ret; E: }");
    REQUIRE_INT(insn(m, 0)->operands[0].label->target, ==, 2);
    ptx_destroy(&m);
}

static void branch_targets_are_a_list_of_labels(void)
{
    struct ptx_module *m = parsed(BODY("t: .branchtargets A, B, A; brx.idx.uni %r1, t; A: B:"));
    const struct ptx_operand *o = &insn(m, 0)->operands[1];
    REQUIRE(o->kind == PTX_LIST && o->count == 3);
    REQUIRE(o->items[0].label == o->items[2].label && o->items[1].label->target == 1);
    REQUIRE_STR(o->label->name, "t");
    ptx_destroy(&m);
}

/* ---- calls ---- */

#define CALLEE ".func (.param .b32 r) f (.param .b64 a, .param .align 4 .b8 b[12]);\n.func g ();\n"
#define CALLER(statements) \
    HEAD CALLEE ".entry k() { .reg .b32 %r<9>; .reg .b64 %d<9>; " statements " ret; }"

static void each_call_has_parameters_of_its_own(void)
{
    struct ptx_module *m = parsed(
        CALLER("{ .param .b64 p; st.param.b64 [p+0], %d1; .param .align 4 .b8 q[12]; .param .b32 r;"
               "call.uni (r), f, (p, q); ld.param.b32 %r1, [r+0]; }"
               "{ .param .b64 p; .param .align 4 .b8 q[12]; .param .b32 r; call (r), f, (p, q);"
               "ld.param.b32 %r2, [r]; } call g; call g, ();"));
    const struct ptx_insn *first = insn(m, 1), *second = insn(m, 3);
    REQUIRE_INT(first->operand_count, ==, 3);
    REQUIRE(first->operands[0].kind == PTX_LIST && first->operands[0].items[0].kind == PTX_SYMBOL);
    REQUIRE(first->operands[1].func == ptx_find_func(m, "f"));
    const struct ptx_var *p = first->operands[2].items[0].var;
    REQUIRE(p == insn(m, 0)->operands[0].var && p != second->operands[2].items[0].var);
    REQUIRE(p->space == PTX_PARAM && p->func == ptx_find_func(m, "k") && p->size == 8);
    REQUIRE(insn(m, 4)->operands[1].var == second->operands[0].items[0].var);
    REQUIRE_INT(ptx_find_func(m, "k")->var_count, ==, 6);
    REQUIRE_INT(insn(m, 5)->operand_count, ==, 1);
    REQUIRE_INT(insn(m, 6)->operands[1].count, ==, 0);
    ptx_destroy(&m);
}

static void indirect_calls_have_a_prototype(void)
{
    struct ptx_module *m = parsed(CALLER(
        "{ .param .b64 p; .param .align 4 .b8 q[12]; .param .b32 r;\n"
        "proto : .callprototype (.param .b32 _) _ (.param .b64 _, .param .align 4 .b8 _[12]);\n"
        "one: .calltargets f;\n"
        "call (r), %d1, (p, q), proto; call (r), %d1, (p, q), one; }"));
    const struct ptx_prototype *proto = insn(m, 0)->prototype, *one = insn(m, 1)->prototype;
    REQUIRE_INT(insn(m, 0)->operand_count, ==, 3);
    REQUIRE_STR(proto->name, "proto");
    REQUIRE(proto->param_count == 2 && proto->result_count == 1 && !proto->targets);
    REQUIRE(proto->params[1].size == 12 && proto->params[1].offset == 8);
    REQUIRE(one->target_count == 1 && one->targets[0] == ptx_find_func(m, "f"));
    REQUIRE(one->params[1].size == 12 && one->results[0].size == 4);
    ptx_destroy(&m);
}

static void parameters_may_be_registers(void)
{
    struct ptx_module *m =
        parsed(HEAD ".func (.reg .u32 r) f (.reg .u32 a) { add.u32 r, a, 1; ret; }\n"
                    ".entry k() { .reg .u32 x; call (x), f, (x); ret; }");
    const struct ptx_func *f = ptx_find_func(m, "f");
    REQUIRE(f->params[0]->space == PTX_REG && f->insns[0].operands[1].reg == f->params[0]->reg);
    REQUIRE(f->insns[0].operands[0].reg == f->results[0]->reg);
    ptx_destroy(&m);
}

static void an_alias_names_its_target(void)
{
    struct ptx_module *m = parsed(HEAD ".func f () { ret; }\n.func g ();\n.alias g, f;");
    REQUIRE(ptx_find_func(m, "g")->alias == ptx_find_func(m, "f"));
    ptx_destroy(&m);
}

/* ---- instructions ---- */

static void instructions_are_taken_apart(void)
{
    struct ptx_module *m = parsed(BODY("ld.volatile.shared::cta.v2.f32 {%f1, %f2}, [%r1+-8];\n"
                                       "cvt.rn.f32.s32 %f1, %r1;\n"
                                       "cvta.to.global.u64 %d1, %d2;\n"
                                       "atom.global.add.u32 %r1, [%d1], 5;"));
    const struct ptx_insn *in = insn(m, 0);
    REQUIRE(in->op == PTX_OP_LD && in->space == PTX_SHARED && in->types[0] == PTX_F32);
    REQUIRE(ptx_has(in, PTX_MOD_VOLATILE) && ptx_has(in, PTX_MOD_V2) && !ptx_has(in, PTX_MOD_V4));
    REQUIRE_STR(in->name, "ld.volatile.shared::cta.v2.f32");
    REQUIRE(in->mod_count == 4 && in->mods[3] == 256 + PTX_F32 && in->line == 6);
    REQUIRE(in->operands[0].kind == PTX_VECTOR && in->operands[0].count == 2);
    REQUIRE(in->operands[1].kind == PTX_ADDRESS && in->operands[1].offset == -8);
    REQUIRE(in->form && in->form->op == PTX_OP_LD);
    REQUIRE(insn(m, 1)->types[0] == PTX_F32 && insn(m, 1)->types[1] == PTX_S32);
    REQUIRE(insn(m, 2)->space == PTX_GLOBAL && ptx_has(insn(m, 2), PTX_MOD_TO));
    REQUIRE(insn(m, 3)->operands[2].kind == PTX_INT && insn(m, 3)->operands[2].value == 5);
    ptx_destroy(&m);
}

static void modifiers_are_a_set(void)
{
    struct ptx_module *m = parsed(BODY("lg2.approx.f32.ftz %f1, %f2; vote.ballot.sync.b32 %r1, "
                                       "%p1, -1; setp.and.f32.lt.ftz %p1, %f1, %f2, !%p2;"));
    for (uint32_t i = 0; i < 3; i++)
        REQUIRE(insn(m, i)->form);
    ptx_destroy(&m);
}

static void what_no_form_knows_is_kept(void)
{
    struct ptx_module *m = parsed(BODY(
        "frobnicate.global.b32 %r1, [%d1], 3; add.f32.oddly %f1, %f2, %f3; add.b32 %r1, %r2, %r3;"
        "wgmma.fence.sync.aligned;"));
    for (uint32_t i = 0; i < 4; i++)
        REQUIRE(!insn(m, i)->form && !insn(m, i)->lacks);
    REQUIRE_INT(insn(m, 0)->op, ==, PTX_OP_UNKNOWN);
    REQUIRE_STR(insn(m, 0)->name, "frobnicate.global.b32");
    REQUIRE(insn(m, 0)->space == PTX_GLOBAL && insn(m, 0)->types[0] == PTX_B32);
    REQUIRE_INT(insn(m, 1)->op, ==, PTX_OP_ADD);
    ptx_destroy(&m);
}

static void what_the_target_lacks_is_said(void)
{
    struct ptx_module *m =
        parsed(".version 6.0 .target sm_75 .entry k() { .reg .b32 %r<9>; .reg .f64 %d<3>;"
               "redux.sync.add.s32 %r1, %r2, -1; add.f64 %d1, %d2, %d2; ret; }");
    REQUIRE(!insn(m, 0)->form);
    REQUIRE_STR(insn(m, 0)->lacks, ".version 7.0");
    REQUIRE(insn(m, 1)->form && !insn(m, 1)->lacks);
    ptx_destroy(&m);
    m = parsed(".version 8.0 .target sm_75 .entry k() { .reg .b32 %r<9>; redux.sync.add.s32 %r1, "
               "%r2, -1; }");
    REQUIRE_STR(insn(m, 0)->lacks, ".target sm_80");
    ptx_destroy(&m);
}

static void operands_have_their_kinds(void)
{
    struct ptx_module *m = parsed(BODY(
        "mov.u32 %r1, %ctaid.z; mov.b32 %f1, 0fBF800000; mov.f64 %g1, 2.5e-1; mov.u32 %r1, WARP_SZ;"
        "mov.b64 {%r1, _}, %d1; shfl.sync.up.b32 %r1|%p1, %r2, 1, 0, 0xffffffff; mov.u64 %d1, k;"
        "mov.u64 %d1, %clock64; mov.u32 %r1, (5 > 3) ? ~0 & 0xF0 : 2;"));
    const struct ptx_operand *o = &insn(m, 0)->operands[1];
    REQUIRE(o->kind == PTX_SPECIAL && o->sreg == PTX_SREG_CTAID && o->component == 2);
    o = &insn(m, 1)->operands[1];
    REQUIRE(o->kind == PTX_F32IMM && o->value == 0xBF800000);
    o = &insn(m, 2)->operands[1];
    REQUIRE(o->kind == PTX_F64IMM && o->value == UINT64_C(0x3FD0000000000000));
    o = &insn(m, 3)->operands[1];
    REQUIRE(o->kind == PTX_INT && o->value == 32);
    REQUIRE(insn(m, 4)->operands[0].items[1].kind == PTX_SINK);
    o = &insn(m, 5)->operands[0];
    REQUIRE(o->kind == PTX_PAIR && o->count == 2 && o->items[1].reg->type == PTX_PRED);
    REQUIRE(insn(m, 6)->operands[1].func == ptx_find_func(m, "k"));
    REQUIRE(insn(m, 7)->operands[1].component == -1);
    REQUIRE_INT(insn(m, 8)->operands[1].value, ==, 0xF0);
    ptx_destroy(&m);
}

/* C's precedence, 64 bits, signed unless an operand is unsigned. */
static void constant_expressions_are_evaluated(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"1+2*3-4/2 % 3", 5},
        {"1|2^3&6", 1},
        {"1<<4>>2", 4},
        {"-8>>1", UINT64_C(0xfffffffffffffffc)},
        {"(.u64)-8>>1", UINT64_C(0x7ffffffffffffffc)},
        {"1<<64", 0},
        {"-7/2", (uint64_t) -3},
        {"-7 % 2", (uint64_t) -1},
        {"(.s64)0x8000000000000000/-1", UINT64_C(1) << 63},
        {"0xffffffffffffffff/2", UINT64_C(0x7fffffffffffffff)},
        {"-1<1", 1},
        {"-1<1U", 0},
        {"2>=2&&3!=3||1<=0", 0},
        {"!5+~0", UINT64_MAX},
        {"1==1?2?3:4:5", 3},
        {"0?1:0?2:WARP_SZ", 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str text = {0};
        str_addf(&text, HEAD ".global .u64 x = %s;", cases[i].text);
        struct ptx_module *m = parsed(str_text(&text));
        uint64_t value;
        memcpy(&value, ptx_find_var(m, "x")->init, sizeof value);
        if (value != cases[i].value)
            fprintf(stderr, "%s\n", cases[i].text);
        REQUIRE(value == cases[i].value);
        ptx_destroy(&m);
        str_fini(&text);
    }
}

static void addresses_have_their_kinds(void)
{
    struct ptx_module *m = parsed(
        HEAD ".shared .align 8 .f64 s[4]; .global .texref t;\n"
             ".entry k(.param .u64 a) { .reg .b32 %r<9>; .reg .b64 %d<9>; .reg .f32 %f<9>; .reg "
             ".f64 %g<9>;"
             "ld.shared.f64 %g1, [s+16]; ld.shared.f64 %g1, s[2]; mov.u32 %r1, s; mov.u32 %r1, s+8;"
             "ld.global.u32 %r1, [64]; ld.param.u64 %d1, [a];"
             "tex.2d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [t, {%r1, %r2}];"
             "tex.1d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%d1, %d2, {%f1}]; ret; }");
    const struct ptx_var *v = ptx_find_var(m, "s");
    const struct ptx_operand *o = &insn(m, 0)->operands[1];
    REQUIRE(o->kind == PTX_ADDRESS && o->var == v && o->offset == 16 && !o->reg);
    o = &insn(m, 1)->operands[1];
    REQUIRE(o->kind == PTX_ADDRESS && o->var == v && o->offset == 16);
    REQUIRE(insn(m, 2)->operands[1].kind == PTX_SYMBOL && insn(m, 3)->operands[1].offset == 8);
    o = &insn(m, 4)->operands[1];
    REQUIRE(o->kind == PTX_ADDRESS && !o->var && !o->reg && o->offset == 64);
    REQUIRE(insn(m, 5)->operands[1].var->space == PTX_PARAM);
    o = &insn(m, 6)->operands[1];
    REQUIRE(o->kind == PTX_TEXADDR && o->count == 2 && o->items[0].var == ptx_find_var(m, "t"));
    REQUIRE(o->items[1].kind == PTX_VECTOR && o->items[1].count == 2);
    o = &insn(m, 7)->operands[1];
    REQUIRE(o->count == 3 && o->items[1].kind == PTX_REGISTER);
    ptx_destroy(&m);
}

static void braces_around_one_register_do_not_matter(void)
{
    struct ptx_module *m =
        parsed(BODY("@%p1 ld.global.b32 { %r1 }, [ %d1 + 0 ]; st.global.b32 [%d1], { %r1 };"));
    REQUIRE(insn(m, 0)->form && insn(m, 0)->operands[0].kind == PTX_REGISTER);
    REQUIRE(insn(m, 1)->form && insn(m, 1)->operands[1].kind == PTX_REGISTER);
    ptx_destroy(&m);
}

static void parts_of_video_operands(void)
{
    struct ptx_module *m = parsed(BODY("vadd.u32.u32.s32.sat %r1, %r2.b3, %r3.h1;"));
    REQUIRE_INT(insn(m, 0)->operands[1].component, ==, PTX_BYTE0 + 3);
    REQUIRE_INT(insn(m, 0)->operands[2].component, ==, PTX_HALF0 + 1);
    ptx_destroy(&m);
}

/* ---- places ---- */

static void places_know_what_they_are_inlined_at(void)
{
    struct ptx_module *m = parsed(
        HEAD ".entry k() { .reg .b32 %r<9>; mov.u32 %r1, 0;\n"
             ".loc 1 10 3\n.loc 2 20 5, function_name L1, inlined_at 1 10 3\nmov.u32 %r1, 1;\n"
             ".loc 2 30 7, function_name L2+2, inlined_at 2 20 5\nmov.u32 %r1, 2;\n"
             ".loc 1 11 1\nret; }\n.file 1 \"a.cu\"\n.file 2 \"dir/b.h\", 7, 9\n"
             ".section .debug_str { L1:\n.b8 102,111\n.b8 111,0\nL2: .b8 120,121,122,0 }");
    REQUIRE(!insn(m, 0)->loc);
    const struct ptx_loc *loc = insn(m, 2)->loc;
    REQUIRE(loc->file == 2 && loc->line == 30 && loc->column == 7);
    REQUIRE_STR(loc->function, "z");
    loc = loc->inlined_at;
    REQUIRE(loc == insn(m, 1)->loc && loc->line == 20);
    REQUIRE_STR(loc->function, "foo");
    loc = loc->inlined_at;
    REQUIRE(loc->file == 1 && loc->line == 10 && !loc->inlined_at && !loc->function);
    REQUIRE(insn(m, 3)->loc->line == 11 && !insn(m, 3)->loc->inlined_at);
    REQUIRE_INT(m->file_count, ==, 3);
    REQUIRE(!m->files[0]);
    REQUIRE_STR(m->files[2], "dir/b.h");
    ptx_destroy(&m);
}

/* ---- printing ---- */

static void instructions_print_as_written(void)
{
    same("@!%p1 add.s32 %r1, %r2, -7;");
    same("add.cc.u32 %r1, %r2, 0x1f;");
    same("add.u32 %r1, %r2, 0X1F;");
    same("add.u32 %r1, %r2, 31U;");
    same("add.u32 %r1, %r2, 0x0001;");
    same("add.u32 %r1, %r2, 0b101;");
    same("add.u32 %r1, %r2, 017;");
    same("add.u32 %r1, %r2, 0xaB;");
    same("add.u32 %r1, %r2, (1+2)*3;");
    same("fma.rn.ftz.f32 %f1, %f2, 0f3F800000, 0F3f800001;");
    same("mov.f64 %g1, 0d3FF0000000000000;");
    same("mov.f64 %g1, -1.50e-07;");
    same("mov.f32 %f1, -0f3F800000;");
    same("ld.global.v2.f32 {%f1, _}, [%d1+-4];");
    same("st.global.u32 [%d1-4], %r1;");
    same("st.global.u32 [%d1+0], 0;");
    same("st.global.u32 [%d1], WARP_SZ;");
    same("setp.lt.and.s32 %p1|%p2, %r1, %r2, !%p3;");
    same("mov.u32 %r1, %tid.y;");
    same("vadd.u32.u32.u32.sat %r1, %r2.b0, %r3.h1;");
    same("tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%d1, {%f1, %f2}];");
    same("unheard.of.b32 %r1, [%d1+8], {%r2, 3};");
    same("st.global.b32 [%d1], {0x7};");
    same("ld.global.f32 {%f1}, [%d1];");
    same("mov.b64 {%r1, %r2}, %d1;");
    same("ret;");
}

static void require_same_print(const char *text)
{
    struct ptx_module *m = parsed(text);
    struct str print = {0};
    ptx_print(&print, m);
    REQUIRE_STR(str_text(&print), text);
    str_fini(&print);
    ptx_destroy(&m);
}

static void modules_print_as_written(void)
{
    require_same_print(".version 8.0\n.target sm_90, debug\n.address_size 64\n\n"
                       ".extern .shared .align 16 .b8 s[];\n"
                       ".visible .global .align 4 .f32 t[2][2] = {{0f3F800000, 1.50}, {2}};\n"
                       ".global .align 8 .u64 p[3] = {generic(t)+8, t-4, 0x7U}, q;\n"
                       ".global .b8 m[2] = {0xff(t), 0xFF00(t)};\n"
                       ".global .attribute(.managed) .s32 n = -5;\n");
    require_same_print(
        ".version 8.0\n.target sm_90\n"
        ".visible .entry k(.param .u64 .ptr .global .align 16 a, .param .align 4 .b8 b[12])\n"
        ".maxntid 256, 1, 1\n.minnctapersm 2\n{\n"
        "\t.reg .pred \t%p<2>;\n\t.reg .v2 .b32 \tv, w<3>;\n\t.pragma \"nounroll\";\n"
        "\t{\n\t.loc\t1 2 3, function_name L0+4, inlined_at 1 2 3\n"
        "L:\n\t@%p1 bra L;\n;\n\t}\n\tret;\n}\n"
        "\t.file\t1 \"a \\\"b\\\".cu\", 12, 34\n"
        "\t.section\t.debug_str\n\t{\nL0:\n.b8 65,0\n.b64 L0+8,L0-L1\n.b32 .debug_info\n\t}\n");
}

int main(void)
{
    RUN(a_module_knows_its_head);
    RUN(the_text_may_go_after_parsing);
    RUN(kernel_parameters_have_offsets);
    RUN(clusters_are_kept);
    RUN(a_declaration_and_its_definition_are_one);
    RUN(variables_have_sizes);
    RUN(initialisers_become_bytes);
    RUN(addresses_in_initialisers_are_relocations);
    RUN(registers_are_made_when_used);
    RUN(blocks_hide_names);
    RUN(labels_resolve_by_block);
    RUN(a_label_at_the_end_is_past_the_last_instruction);
    RUN(branch_targets_are_a_list_of_labels);
    RUN(each_call_has_parameters_of_its_own);
    RUN(indirect_calls_have_a_prototype);
    RUN(parameters_may_be_registers);
    RUN(an_alias_names_its_target);
    RUN(instructions_are_taken_apart);
    RUN(modifiers_are_a_set);
    RUN(what_no_form_knows_is_kept);
    RUN(what_the_target_lacks_is_said);
    RUN(operands_have_their_kinds);
    RUN(constant_expressions_are_evaluated);
    RUN(addresses_have_their_kinds);
    RUN(braces_around_one_register_do_not_matter);
    RUN(parts_of_video_operands);
    RUN(places_know_what_they_are_inlined_at);
    RUN(instructions_print_as_written);
    RUN(modules_print_as_written);
    return 0;
}
