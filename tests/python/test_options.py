"""Options of the compiler: as a list, and by keyword."""

import pathlib
import re

import numpy as np
import pytest
from runcu import Out, _core, compiler
from runcu._options import spell
from runcu.compiler import CompileError, CompilerOptions, SourceModule

KERNEL = '__global__ void k(int *x) {{ *x = {}; }}'


def given(**keywords):
    """What the compiler is given for keywords."""
    program = compiler._compile(
        KERNEL.format(0),
        None,
        False,
        None,
        None,
        False,
        None,
        keywords=spell(SourceModule, keywords),
    )
    return program.options.splitlines()


def value_of(expression, **keywords):
    x = np.zeros(1, np.int32)
    SourceModule(KERNEL.format(expression), cache_dir=False, **keywords).k(Out(x), block=1)
    return x[0]


@pytest.mark.parametrize(
    'keywords, option',
    [
        ({'maxrregcount': 32}, '--maxrregcount=32'),
        ({'max_register_count': np.int64(32)}, '--maxrregcount=32'),
        ({'maxrregcount': '32'}, '--maxrregcount=32'),
        ({'use_fast_math': True}, '--use_fast_math'),
        ({'std': 'c++20'}, '--std=c++20'),
        ({'lineinfo': True}, '--generate-line-info'),
        ({'ftz': True}, '--ftz=true'),
        ({'fmad': False}, '--fmad=false'),
        ({'prec_div': False}, '--prec-div=false'),
        ({'rdc': True}, '--relocatable-device-code=true'),
        ({'disable_warnings': True}, '--disable-warnings'),
        ({'undefine': 'X'}, '-UX'),
        ({'diag_suppress': 177}, '--diag-suppress=177'),
        ({'diag_suppress': [177, 550]}, '--diag-suppress=550'),
        ({'ptxas_options': '-v'}, '--ptxas-options=-v'),
        ({'extra_device_vectorization': True}, '--extra-device-vectorization'),
        ({'restrict': True}, '--restrict'),
        ({'define': 'N'}, '-DN'),
        ({'define': ['N=1', 'M']}, '-DM'),
        ({'define': {'N': 4}}, '-DN=4'),
        ({'define_macro': {'N': 'a b'}}, '-DN=a b'),
        ({'define': {'PI': 3.5}}, '-DPI=3.5'),
        ({'define': {'ON': True, 'OFF': False, 'PLAIN': None}}, '-DON'),
        ({'D': 'N=5'}, '-DN=5'),
    ],
)
def test_keywords_are_options(device, keywords, option):
    assert option in given(**keywords)


def test_what_is_false_or_none_is_not_given(device):
    plain = given()
    assert given(use_fast_math=False, maxrregcount=None, define={'OFF': False}, std=None) == plain
    assert given(define={}, include_path=[], diag_suppress=()) == plain


def test_they_take_effect(device, tmp_path):
    (tmp_path / 'own.h').write_text('#define OWN 7\n')
    assert value_of('N + M', define={'N': 40, 'M': 2}) == 42
    assert value_of('__cplusplus / 100', std='c++14') == 2014
    assert value_of('__cplusplus / 100', std='c++20') == 2020
    assert value_of('OWN', pre_include=tmp_path / 'own.h') == 7
    text = '#include "own.h"\n' + KERNEL.format('OWN')
    for path in (tmp_path, str(tmp_path), [tmp_path], iter([tmp_path])):
        x = np.zeros(1, np.int32)
        SourceModule(text, include_path=path).k(Out(x), block=1)
        assert x[0] == 7


def test_keywords_stand_after_the_list(device):
    assert value_of('N', options=['-DN=1', '-UN'], define={'N': 2}) == 2
    with pytest.raises(CompileError, match='"N" is undefined'):
        value_of('N', options=['-DN=1'], undefine='N')


def test_debug_code(device):
    options = given(debug=True)
    assert ('--generate-line-info' if device.is_cpu else '--device-debug') in options


@pytest.mark.parametrize(
    'function',
    [
        lambda **k: SourceModule(KERNEL.format(1), **k),
        lambda **k: compiler.compile(KERNEL.format(1), **k),
        lambda **k: compiler.compile_many([KERNEL.format(1)], **k),
        lambda **k: compiler.compile_async(KERNEL.format(1), **k).result(60),
        lambda **k: compiler.compile_bundle(KERNEL.format(1), ['compute_75'], **k),
        lambda **k: compiler.explain(KERNEL.format(1), arch='sm_80', **k),
    ],
)
def test_everything_that_compiles_takes_them(device, function):
    assert function(define={'N': 1}, std='c++17')
    for wrong, right in (
        ('maxregcount', 'maxrregcount'),
        ('use_fastmath', 'use_fast_math'),
        ('option', 'options'),
        ('include_dir', 'include_dirs'),
        ('defines', 'define'),
        ('pre_includes', 'pre_include'),
    ):
        with pytest.raises(TypeError, match=f'unexpected keyword argument .{wrong}.*{right}'):
            function(**{wrong: 1})
    with pytest.raises(TypeError, match='no compiler option is called "zzzzzzzz"'):
        function(zzzzzzzz=True)


def test_sources_that_are_linked_take_them(device):
    mod = compiler.DynamicModule()
    mod.add_source(KERNEL.format('N'), define={'N': 3}, std='c++17')
    x = np.zeros(1, np.int32)
    mod.link().get_function('k')(Out(x), block=1)
    assert x[0] == 3
    with pytest.raises(TypeError, match="add_source.*'maxregcount'.*maxrregcount"):
        mod.add_source(KERNEL.format(1), maxregcount=3)


@pytest.mark.parametrize(
    'keywords, words',
    [
        ({'use_fast_math': 'yes'}, 'use_fast_math is True or False'),
        ({'use_fast_math': 1}, 'use_fast_math is True or False'),
        ({'maxrregcount': 32.5}, 'maxrregcount must be .* not float'),
        ({'std': object()}, 'std must be .* not object'),
        ({'std': b'c++17'}, 'std must be'),
        ({'define': 5.5}, 'define must be'),
        ({'define': {5: 'x'}}, 'names are str'),
        ({'define': {'N': []}}, 'define must be'),
        ({'include_path': {'a': 'b'}}, 'takes no dict'),
        ({'include_path': [None]}, 'include_path must be'),
    ],
)
def test_values_that_are_none(device, keywords, words):
    with pytest.raises(TypeError, match=words):
        SourceModule(KERNEL.format(1), **keywords)


@pytest.mark.parametrize(
    'keywords, words',
    [
        ({'m32': True}, '32-bit'),
        ({'gpu_architecture': 'fast'}, 'no architecture'),
        ({'std': 'c++99'}, 'c\\+\\+99'),
        ({'maxrregcount': 'many'}, 'maxrregcount'),
        ({'std': 'c++17\0'}, 'NUL'),
    ],
)
def test_what_the_compiler_refuses(device, keywords, words):
    with pytest.raises((CompileError, ValueError), match=words):
        SourceModule(KERNEL.format(1), **keywords)


def test_what_means_nothing_is_dropped(device):
    assert given(optimize=3, keep_dir='/nowhere', extended_lambda=True) == given()


def rows():
    path = pathlib.Path(__file__).parents[2] / 'src/core/option.def'
    if not path.exists():
        pytest.skip('the source tree is not here')
    return re.findall(r'^OPTION\("-([^"]+)", (\w+), (\w+)', path.read_text(), re.M)


def test_each_row_has_its_keyword():
    for spelling, form, _ in rows():
        if form != 'BEGINS':
            name = spelling.replace('-', '_')
            found, joint, is_flag, _ = _core.option_find(name)
            if name != 'debug':  # here it means device code
                assert found == f'-{spelling}'
            assert is_flag == (form in ('FLAG', 'ANY'))
            assert joint == {'FLAG': None, 'JOINED': ''}.get(form, '=')


def test_the_typed_names_are_keywords_and_complete():
    names = set(CompilerOptions.__annotations__) - {'warn'}
    for name in names:
        _core.option_find(name)
    short = {
        'D',
        'U',
        'I',
        'G',
        'g',
        'w',
        'dc',
        'device_c',
        'warning_as_error',
        'optimization_info',
        'dlink_time_opt',
        'gen_opt_lto',
    }
    own = {'arch', 'gpu_architecture', 'code', 'gpu_code', 'gencode', 'generate_code'}
    twins = {'Xptxas', 'include', 'isystem', 'system_include', 'define_macro', 'undefine_macro'}
    known = {s.replace('-', '_') for s, _, action in rows() if action not in ('DROP', 'REFUSE')}
    side = {s.replace('-', '_') for s, _, action in rows() if action == 'SIDE_EFFECT'}
    missing = known - names - short - own - twins - side
    assert not missing


def test_a_misspelt_option_of_the_list_names_the_nearest(device):
    with pytest.raises(CompileError, match='Did you mean -maxrregcount') as e:
        SourceModule(KERNEL.format(1), options=['--maxregcount=32'])
    assert 'maxregcount' in str(e.value)
