"""The job type `video.transcode`.

It reads top down: `pipeline` runs the stages over a `film`; in one pass `picture` makes upright frames of every size,
`sound` brings the audio along and each `rendition` is written; then `poster` and `preview` look at the result.
"""

from heavylift import JobContext, job
from heavylift_worker.jobs.video.models import TranscodeInput, TranscodeOutput

__all__ = ["TranscodeInput", "TranscodeOutput", "transcode"]


@job(
    "video.transcode",
    queue="video",
    libraries=("av", "PIL.Image", "heavylift_worker.jobs.video.pipeline"),
    file_field="source",
)
def transcode(ctx: JobContext, input: TranscodeInput) -> TranscodeOutput:  # noqa: A002 - the SDK's parameter name
    """Turn a film into H.264/AAC MP4 renditions that start while they load, with a poster frame and a preview strip."""
    from heavylift_worker.jobs.video.pipeline import run  # noqa: PLC0415 - FFmpeg loads in the child only

    return run(ctx, input)
