from touchstone.report.workflow_picture import Stage, workflow_picture

STAGES = [Stage("prepare", 2, []), Stage("train", 1, ["prepare"]), Stage("attack", 3, ["prepare", "train", "fit"]),
          Stage("fit", 1, ["train", "attack"])]  # fmt: skip


def test_arrows_that_others_imply_are_left_out_and_those_that_lead_back_are_dashed():
    svg = workflow_picture(STAGES, {"attack": "<3 files>"})

    assert svg.count('class="arrow"') == 3  # prepare to train, train to attack, attack to fit
    assert svg.count('class="arrow back"') == 1  # fit to attack
    assert "&lt;3 files&gt;" in svg and "<3 files>" not in svg
