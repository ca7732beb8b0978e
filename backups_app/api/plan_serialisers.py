"""The JSON of plans."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers as s

from backups_app.models import Plan
from worker.engine.config import DEFAULT_PLAN, HOME
from worker.engine.settings import Settings


class PlanSerialiser(s.Serializer[Any]):
    """A plan as it is. `fromEnvironment`: it is the default one, described there."""

    name = s.CharField(source="plan.plan")
    host = s.CharField(source="plan.host")
    dataDir = s.CharField(source="plan.data_dir")
    enabled = s.BooleanField()
    schedule = s.CharField()
    timezone = s.CharField()
    prefix = s.SerializerMethodField(help_text="the folder in the bucket; / is its top")
    backupName = s.CharField(source="plan.name")
    maxBackups = s.IntegerField(source="plan.max_backups")
    keepDaily = s.IntegerField(source="plan.keep_daily")
    keepWeekly = s.IntegerField(source="plan.keep_weekly")
    keepMonthly = s.IntegerField(source="plan.keep_monthly")
    keepYearly = s.IntegerField(source="plan.keep_yearly")
    compressionLevel = s.IntegerField(source="plan.compression_level")
    exclude = s.ListField(source="plan.exclude", child=s.CharField())
    stopInstances = s.BooleanField(source="plan.stop_instances")
    instanceDriver = s.SerializerMethodField(help_text="empty: as that machine's environment says")
    fromEnvironment = s.SerializerMethodField()

    def get_fromEnvironment(self, settings: Settings) -> bool:
        return settings.plan.plan == DEFAULT_PLAN

    def get_prefix(self, settings: Settings) -> str:
        return settings.plan.prefix or "/"

    def get_instanceDriver(self, settings: Settings) -> str:
        return str(self.context.get("drivers", {}).get(settings.plan.plan, ""))


class PlanListSerialiser(s.Serializer[Any]):
    """The default plan first. `hosts`: machines whose worker was seen just now."""

    plans = PlanSerialiser(many=True)
    hosts = s.ListField(child=s.CharField())


class PlanBody(s.Serializer[Any]):
    """What may be set; the model checks it, and what does not go together."""

    name = s.CharField(required=False)
    host = s.CharField(required=False, help_text=f"{HOME} when missing")
    dataDir = s.CharField(required=False, source="data_dir")
    enabled = s.BooleanField(required=False)
    schedule = s.CharField(required=False)
    timezone = s.CharField(required=False, allow_blank=True)
    prefix = s.CharField(required=False, allow_blank=True)
    backupName = s.CharField(required=False, allow_blank=True, source="backup_name")
    maxBackups = s.IntegerField(required=False, source="max_backups")
    keepDaily = s.IntegerField(required=False, source="keep_daily")
    keepWeekly = s.IntegerField(required=False, source="keep_weekly")
    keepMonthly = s.IntegerField(required=False, source="keep_monthly")
    keepYearly = s.IntegerField(required=False, source="keep_yearly")
    compressionLevel = s.IntegerField(required=False, source="compression_level")
    exclude = s.ListField(required=False, child=s.CharField())
    stopInstances = s.BooleanField(required=False, source="stop_instances")
    instanceDriver = s.CharField(required=False, allow_blank=True, source="instance_driver")

    def validate_exclude(self, patterns: list[str]) -> str:
        return "\n".join(patterns)

    def laid_over(self, plan: Plan) -> Plan:
        """That plan with the given values, checked and saved. Raises `ValidationError`."""
        self.is_valid(raise_exception=True)
        for name, value in self.validated_data.items():
            setattr(plan, name, value)
        try:
            plan.full_clean()
        except ValidationError as error:
            names = {field.source: name for name, field in self.fields.items()}
            raise s.ValidationError(
                {names.get(name, name): told for name, told in error.message_dict.items()}
            ) from error
        plan.save()
        return plan
