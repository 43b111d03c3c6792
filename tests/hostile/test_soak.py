"""soak.py in short, so that it is known to work; the whole is `make soak`."""

import soak


def test_soak__mixed_load_leaves_no_error(berth_binary, tmp_path):
    result = soak.run(berth_binary, tmp_path, minutes=0.3, old=200, pushes=21)
    assert not result["failures"], result["failures"]
    assert result["requests"]["manifest"] > 20 and result["requests"]["SIGHUP"] and result["requests"]["berth gc"]


def test_soak__growth_is_seen():
    flat = [{"rss": 50 << 20, "fds": 40, "threads": 9, "s": i} for i in range(300)]
    assert not soak.growth(flat)[1]
    settling = [dict(s, rss=s["rss"] + i * (5 << 10)) for i, s in enumerate(flat)]
    assert not soak.growth(settling)[1]
    leaking = [dict(s, rss=s["rss"] + i * (45 << 10)) for i, s in enumerate(flat)]
    assert soak.growth(leaking)[1]
    losing = [dict(s, fds=40 + i // 5) for i, s in enumerate(flat)]
    assert soak.growth(losing)[1]
    assert "<svg" in soak.plot(flat, "flat")
