"""What Docker Compose does that one would not guess; tests/docker holds the rest against it."""

import textwrap

import pytest

from stackproof.errors import ConfigError
from stackproof.stack_file import load_stack_file
from stackproof.stack_file.model import Build, Dependency, Limits, Mount, Port, Restart, Subnet
from stackproof.stack_file.reading.words import split_words
from stackproof.stack_file.reading.yaml_scalars import float_text, plain_value


@pytest.fixture
def load(tmp_path):
    def load(*texts, environment=None, files=None):
        for name, content in (files or {}).items():
            (tmp_path / name).write_text(textwrap.dedent(content))
        paths = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(textwrap.dedent(text))
        return load_stack_file(paths, environment or {})

    return load


@pytest.fixture
def merged(load):
    """The service that two descriptions of it give."""

    def merged(base, over):
        first = f"services: {{x: {base}, y: {{image: y}}}}\nvolumes: {{data: }}\nnetworks: {{n: }}"
        return load(first, f"services: {{x: {over}}}").services["x"]

    return merged


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a 'b c' \"d e\" f\\ g", ("a", "b c", "d e", "f g")),
        ("a'b'\"c\" ''", ("abc", "")),
        (r'"a\nb" a\b ' + r"'a\b'", ("anb", "ab", r"a\b")),
        ("a && b", ("a",)),
        ("a; b", ("a",)),
        ("a 2>f", ("a",)),
        ("a $(b c) `d e`", ("a", "$(b c)", "`d e`")),
        ("'a;b' \"c|d\" e#f", ("a;b", "c|d", "e#f")),
        ("  ", ()),
    ],
)
def test_a_command_line_is_split_as_compose_splits_it(line, words):
    assert split_words(line) == words


@pytest.mark.parametrize("line", ["'a", '"a', "a\\", "`a", "a (b)", ")", "$(a"])
def test_a_command_line_that_does_not_end_is_refused(line):
    with pytest.raises(ValueError, match=r"it ends|a bracket"):
        split_words(line)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_000", 1000), ("0x1_0", 16), ("0b101", 5), ("010", 8), ("08", 8.0), ("0o8", "0o8"),
        ("_1", "_1"), ("-0", 0), ("18446744073709551615", 2**64 - 1), (str(2**64), float(2**64)),
        ("1e400", "1e400"), ("1.5_0", 1.5), ("yes", "yes"), ("12:30", "12:30"),
        ("2024-1-2", "2024-01-02 00:00:00 +0000 UTC"), ("2024-13-02", "2024-13-02"),
        ("2024-01-02t03:04:05.670Z", "2024-01-02 03:04:05.67 +0000 UTC"),
        ("2024-01-02T03:04:05-05:00", "2024-01-02 03:04:05 -0500 -0500"),
        ("2024-01-02 03:04:05", "2024-01-02 03:04:05 +0000 UTC"),
    ],
)  # fmt: skip
def test_plain_scalars(text, value):
    found = plain_value(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "1.5"), (100000.0, "100000"), (1e6, "1e+06"), (12345678.9, "1.23456789e+07"),
     (0.0001, "0.0001"), (0.00001, "1e-05"), (-0.0, "-0"), (-2.5e-7, "-2.5e-07")],
)  # fmt: skip
def test_floats_are_printed_as_go_prints_them(value, text):
    assert float_text(value) == text


def test_true_and_false_are_values_of_variables_and_labels(load):
    x = load("services: {x: {image: i, environment: {A: True}, labels: {B: false}}}").services["x"]
    assert (x.environment, x.labels) == ({"A": "true"}, {"B": "false"})


def test_a_dollar_before_no_name_stands_for_itself(load):
    x = load("services: {x: {image: i, environment: {A: 'a$ b$1$'}}}").services["x"]
    assert x.environment == {"A": "a$ b$1$"}


def test_a_variable_without_a_value_takes_away_what_an_env_file_gave(load):
    x = load("services: {x: {image: i, env_file: a.env, environment: [A]}}",
             files={"a.env": "A=1\nB=2\n"}).services["x"]  # fmt: skip
    assert x.environment == {"B": "2"}


def test_env_files_look_up_earlier_files_then_the_environment_then_their_own_lines(load):
    x = load(
        "services: {x: {image: i, env_file: [a.env, b.env]}}",
        environment={"X": "given", "Y": "given"},
        files={"a.env": "X=a\nZ=a\nA=$X$Z\n", "b.env": "X=b\nB=$X$Y\nW=b\nC=$W\n"},
    ).services["x"]
    assert x.environment == {"X": "b", "Z": "a", "A": "givena", "B": "agiven", "W": "b", "C": "b"}


def test_odd_lines_of_an_env_file(load):
    lines = "A= # no comment\n1B=digit\nC[0]=brackets\nD='it\\'s'\nÉ: colon\n"
    x = load("services: {x: {image: i, env_file: a.env}}", files={"a.env": lines}).services["x"]
    assert x.environment == {
        "A": "# no comment", "1B": "digit", "C[0]": "brackets", "D": "it's", "É": "colon",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"\a\b\f\n\r\t\v", "\a\b\f\n\r\t\v"),
        (r"\0123 \0101", "S A"),
        (r"\012", r"\12"),
        (r"\0777", r"\777"),
        (r"\0189", r"\189"),
        (r"a\0b", r"a\b"),
        (r"\1 \x41 \u0041 \e \c \'", r"\1 \x41 \u0041 \e \c \'"),
        (r"\\n \"q\" \$B", r"\n " + '"q" $B'),
    ],
)
def test_escapes_in_double_quotes_of_an_env_file(load, written, value):
    x = load("services: {x: {image: i, env_file: a.env}}", files={"a.env": f'A="{written}"\n'})
    assert x.services["x"].environment == {"A": value}


def test_a_comment_of_an_env_file_begins_after_a_blank_not_after_a_tab(load):
    x = load("services: {x: {image: i, env_file: a.env}}",
             files={"a.env": "A=x #y\nB=x\t#y\nC=x# y\nD=x \t# y\n"})  # fmt: skip
    assert x.services["x"].environment == {"A": "x", "B": "x\t#y", "C": "x# y", "D": "x \t# y"}


def test_a_nul_in_an_env_file_is_refused(load):
    with pytest.raises(ConfigError, match=r"a\.env:1: this value has a NUL"):
        load("services: {x: {image: i, env_file: a.env}}", files={"a.env": 'A="\\0000"\n'})


def test_line_ends_of_windows_stay_in_the_quotes_of_an_env_file_alone(load, tmp_path):
    (tmp_path / "a.env").write_bytes(b"A=\"x\r\ny\"\r\nB=1\r\nC='q'\r\n")
    x = load("services: {x: {image: i, env_file: a.env}}").services["x"]
    assert x.environment == {"A": "x\r\ny", "B": "1", "C": "q"}


@pytest.mark.parametrize("name", [".env", "a.env", "0.yaml"])
def test_a_byte_order_mark_is_no_part_of_a_file(load, name):
    texts = {"0.yaml": "services: {x: {image: $I, env_file: a.env}}", ".env": "I=i", "a.env": "A=1"}
    texts[name] = "\ufeff" + texts[name]
    x = load(texts["0.yaml"], files={key: texts[key] for key in (".env", "a.env")}).services["x"]
    assert (x.image, x.environment) == ("i", {"A": "1"})


def test_an_env_file_in_another_format_is_refused(load):
    with pytest.raises(ConfigError, match="Compose's own format"):
        load("services: {x: {image: i, env_file: [{path: a.env, format: raw}]}}",
             files={"a.env": "A='1'"})  # fmt: skip


def test_exposed_ports_keep_their_protocol(load):
    x = load("services: {x: {image: i, expose: ['53/udp', 53, 80-81/tcp, '54-55/UDP']}}")
    assert (x.services["x"].expose, x.services["x"].expose_udp) == ((53, 80, 81), (53, 54, 55))


def test_what_is_not_set_and_has_no_default_is_noted_once_with_its_first_place(load, tmp_path):
    loaded = load(
        """\
        services:
          x: {image: "$A$A", env_file: a.env}
          y: {image: "${A}${B-}${C:+}${D:-$E}", environment: [F]}
        """,
        environment={"D": "d"},
        files={"a.env": "G=$H$G2\nG2=1\nI=$G\n"},
    )
    assert {name: (where.source, where.line) for name, where in loaded.unset.items()} == {
        "A": (tmp_path / "0.yaml", 2),
        "E": (tmp_path / "0.yaml", 3),
        "H": (tmp_path / "a.env", 1),
        "G2": (tmp_path / "a.env", 1),
    }


@pytest.mark.parametrize("written", ["C:\\x:/test", "c:/x:/test", "C:/x:/test:ro", "d:/x"])
def test_a_windows_path_is_refused(load, written):
    for mount in (f"'{written}'", f"{{type: bind, source: '{written}', target: /t}}"):
        with pytest.raises(ConfigError, match="as a Windows path"):
            load(f"services: {{x: {{image: i, volumes: [{mount}]}}}}")


def test_the_dotenv_looks_up_the_environment(load):
    x = load("services: {x: {image: $A}}", environment={"B": "b"}, files={".env": "A=a$B"})
    assert x.services["x"].image == "ab"


def test_nothing_in_a_later_file_changes_nothing_except_commands(merged):
    x = merged("{image: i, command: a, entrypoint: e, environment: {A: '1'}, ports: ['80']}",
               "{command: , entrypoint: , environment: , ports: }")  # fmt: skip
    assert (x.command, x.entrypoint) == (None, None)
    assert (x.environment, x.ports) == ({"A": "1"}, (Port(80),))


def test_a_build_in_short_form_changes_the_context_of_the_long_one(merged, tmp_path):
    x = merged("{build: {context: ., dockerfile: D}}", "{build: sub}")
    assert x.build == Build(tmp_path / "sub", dockerfile="D")


def test_a_list_of_networks_keeps_the_aliases_of_an_earlier_file(merged):
    assert merged("{image: i, networks: {n: {aliases: [a]}}}", "{networks: [n]}").networks == {
        "n": ("a",)
    }


def test_extra_hosts_are_added_up(merged):
    x = merged("{image: i, extra_hosts: {a: [1.1.1.1, '::1']}}", "{extra_hosts: ['a:2.2.2.2']}")
    assert x.extra_hosts == ("a=1.1.1.1", "a=::1", "a=2.2.2.2")


def test_a_service_can_be_reset(load):
    loaded = load("services: {x: {image: i}, y: {image: i}}", "services: {x: !reset null}")
    assert list(loaded.services) == ["y"]


def test_a_list_of_dependencies_requires_them_again(merged):
    x = merged("{image: i, depends_on: {y: {condition: service_healthy, required: false}}}",
               "{depends_on: [y]}")  # fmt: skip
    assert x.depends_on == {"y": Dependency(required=True)}


def test_a_reset_beside_a_merge_key_resets_earlier_files_alone(load):
    anchor = "x-a: &a {image: i, profiles: [a], labels: {A: '1'}}\n"
    alone = load(anchor + "services: {x: {<<: *a, profiles: !reset []}}").services["x"]
    over = load(
        "services: {x: {image: j, profiles: [b], labels: {B: '2'}}}",
        anchor + "services: {x: {<<: *a, profiles: !reset [], labels: !reset null}}",
    ).services["x"]
    assert alone.profiles == over.profiles == ("a",)
    assert over.labels == {"A": "1"}


def test_a_reset_that_a_merge_key_brings_in_is_refused(load):
    with pytest.raises(ConfigError, match="versions of Compose differ"):
        load("x-a: &a {profiles: !reset []}\nservices: {x: {<<: *a, image: i}}")


def test_ports_are_the_same_where_address_numbers_and_protocol_are(merged):
    x = merged("{image: i, ports: ['80', '8080:80']}",
               "{ports: ['0.0.0.0:8080:80', {target: 80}, 80/udp]}")  # fmt: skip
    assert x.ports == (Port(80), Port(80, "8080", "0.0.0.0"), Port(80, protocol="udp"))


def test_of_mounts_with_one_target_the_last_counts(load, tmp_path):
    x = load("services: {x: {image: i, volumes: [/d, './a:/d/', './b:/e/../d']}}").services["x"]
    assert x.mounts == (Mount("bind", "/d", str(tmp_path / "b")),)


def test_no_symbolic_link_of_a_path_is_followed(load, tmp_path):
    (tmp_path / "link").symlink_to("/usr")
    x = load("services: {x: {build: ./link/../a, volumes: ['./link:/b']}}").services["x"]
    assert x.build.context == tmp_path / "a"
    assert x.mounts[0].source == str(tmp_path / "link")


def test_a_tilde_is_the_home_folder_whatever_follows(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    x = load("services: {x: {image: i, volumes: ['~a/b:/c']}}").services["x"]
    assert x.mounts[0].source == str(tmp_path / "a" / "b")


def test_links_and_shared_networks_are_dependencies(load):
    loaded = load(
        "services: {x: {image: i, links: ['y:db']}, y: {image: i},"
        " z: {image: i, network_mode: 'service:y'}}"
    )
    expected = {"y": Dependency(restart=True)}
    assert loaded.services["x"].depends_on == loaded.services["z"].depends_on == expected


def test_a_link_to_nobody_is_an_error(load):
    with pytest.raises(ConfigError, match="'y', which is not a service"):
        load("services: {x: {image: i, links: [y]}}")


def test_the_restart_policy_of_deploy_is_the_stronger_one(load):
    text = "services: {x: {image: i, restart: always, deploy: {restart_policy: {condition: none}}}}"
    assert load(text).services["x"].restart == Restart("no")


def test_both_spellings_of_a_limit_must_agree(load):
    both = "services: {{x: {{image: i, cpus: 1, deploy: {{resources: {{limits: {}}}}}}}}}"
    assert load(both.format("{cpus: '1.0'}")).services["x"].limits == Limits(cpus=1.0)
    for limits in ("{cpus: 2}", "{memory: 1g}", "{}"):
        with pytest.raises(ConfigError, match="differ"):
            load(both.format(limits))


def test_names_of_volumes_and_networks_are_those_that_are_written(load):
    loaded = load(
        """\
        services: {x: {image: i}}
        volumes: {plain: , named: {name: own}, theirs: {external: {name: other}}}
        networks: {plain: , named: {name: own}}
        """
    )
    assert {key: (one.name, one.external) for key, one in loaded.volumes.items()} == {
        "plain": (None, False), "named": ("own", False), "theirs": ("other", True),
    }  # fmt: skip
    assert {key: one.name for key, one in loaded.networks.items()} == {
        "plain": None,
        "named": "own",
    }


@pytest.mark.parametrize(
    ("lines", "ignored"),
    [
        ("build: {context: ., pull: true}", "services.x.build.pull"),
        ("image: i, networks: {default: {priority: 1}}", "services.x.networks.default.priority"),
        ("image: i, deploy: {labels: {}}", "services.x.deploy.labels"),
        ("image: i, volumes: [{type: bind, source: ., target: /a, bind: {propagation: shared}}]",
         "services.x.volumes[0].bind.propagation"),
    ],
)  # fmt: skip
def test_keys_without_effect_are_told_wherever_they_stand(load, lines, ignored):
    assert load(f"services: {{x: {{{lines}}}}}").ignored == (ignored,)


def test_all_mistakes_of_one_kind_are_told_in_one_error(load):
    with pytest.raises(ConfigError) as caught:
        load(
            """\
            services:
              x: {image: i, use_api_socket: true, enviroment: {A: b}}
              y: {image: 5, provider: {type: a}}
            models: {a: {model: b}}
            """
        )
    shown = str(caught.value)
    places = ["2: services.x.use_api_socket", "2: services.x.enviroment", "3: services.y.provider",
              "3: services.y.image", "4: models"]  # fmt: skip
    assert all(f"0.yaml:{place}: " in shown for place in places)
    assert "unknown key 'enviroment' (did you mean environment?)" in shown
    with pytest.raises(ConfigError) as caught:
        load("services: {x: {image: i, restart: a}, y: {image: i, stop_grace_period: soon}}")
    assert ("services.x.restart" in str(caught.value), len(caught.value.others)) == (True, 1)


def test_of_many_mistakes_ten_are_told(load):
    with pytest.raises(ConfigError, match="and 20 more"):
        load(f"services: {{x: {{image: i, {', '.join(f'k{n}: 1' for n in range(30))}}}}}")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("build: {contxt: .}", "did you mean context?"),
        ("image: i, deploy: {resource: {}}", "did you mean resources?"),
        ("image: 5", "must be a text, not a number"),
        ("image: i, command: [sleep, 5]", "must be a text, not a number"),
        ("image: i, stop_grace_period: 5", "must be a text, not a number"),
        ("image: i, stop_grace_period: '5'", "is not a duration"),
        ("image: i, ports: ", "must be a list, not nothing"),
        ("image: i, environment: {A: .inf}", "not a number"),
        ("image: i, environment: {1: a}", "a key must be a text"),
        ("image: i, volumes: ['d:/x']", "a Windows path"),
        ("image: i, volumes: [{source: a, target: /b}]", "the key 'type' is missing"),
        ("image: i, network_mode: host, networks: [n]", "both network_mode and networks"),
        ("image: i, ports: ['1.2.3:80:80']", "is not an address"),
        ("image: i, extra_hosts: [a]", "no address"),
        ("build: {context: ., dockerfile: a, dockerfile_inline: b}", "dockerfile_inline"),
        ("build: 'https://example.com/a.git'", "stackproof does not fetch"),
    ],
)
def test_what_compose_refuses(load, lines, message):
    with pytest.raises(ConfigError) as caught:
        load(f"services: {{x: {{{lines}}}}}")
    assert message in str(caught.value)


def test_addresses_and_subnets_are_read_as_they_are_written(load):
    loaded = load(
        """\
        services:
          x: {image: i, networks: {lan: {ipv4_address: 10.5.0.7, aliases: [a]}, other: }}
        networks:
          other:
          lan: {ipam: {driver: default, config: [
            {subnet: 10.5.0.0/16, gateway: 10.5.0.1, ip_range: 10.5.9.0/24}, {gateway: 10.6.0.1}]}}
        """
    )
    assert loaded.services["x"].addresses == {"lan": "10.5.0.7"}
    assert loaded.networks["lan"].subnets == (
        Subnet("10.5.0.0/16", gateway="10.5.0.1", ip_range="10.5.9.0/24"),
    )
    assert loaded.networks["other"].subnets == ()
