"""`make bench`: what README promises, measured in one run and printed as tables."""

from tests.benchmarks import (
    accuracy,
    batch,
    defects,
    generation,
    labelling,
    large,
    panel,
    simulation,
    speed,
    strain,
    sublattices,
)

if __name__ == "__main__":
    for table in (
        accuracy.held_out_groups,
        accuracy.calibration_error,
        accuracy.fields_of_view,
        accuracy.position_errors,
        sublattices.faint_sublattices,
        speed.fit_speed,
        speed.detection_speed,
        large.large_frames,
        defects.junctions,
        generation.drawn_images,
        generation.drawing_speed,
        strain.unstrained,
        strain.gpa_speed,
        strain.gpa_memory,
        panel.slider_to_overlay,
        batch.throughput,
        batch.overhead,
        batch.memory,
        batch.empty_tasks,
        labelling.noisiest_frames,
        labelling.series_speed,
        simulation.hrtem_speed,
        simulation.linear_model,
        simulation.throughput,
        simulation.growth,
    ):
        title, rows = table()
        print(f"\n## {title}\n\n{rows.to_markdown(index=False, floatfmt='.4g')}", flush=True)
